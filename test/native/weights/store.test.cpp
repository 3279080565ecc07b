// Weights packed in blocks against weights packed at once, on every level; errors and the stop flag while loading.
#include "weights/store.h"

#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/arena.h"
#include "core/dtype.h"
#include "cpu/backend.h"
#include "cpu/memory.h"
#include "cpu/table.h"
#include "test.h"
#include "weights/synthetic.h"
#include "weights/tensor_values.h"

namespace {

using namespace ipa;
using namespace ipa::test;

// The same tensors rounded to another type.
TensorSource as_type(TensorSource source, DType type) {
  const TensorSource f32 = source;
  for (auto& [name, info] : source.index) info.dtype = type;
  source.read = [f32, type](const std::string& name, uint64_t first, std::span<std::byte> out) {
    const std::vector<float> values = tensor_values(f32, name);
    const size_t each = dtype_size(type);
    for (size_t i = 0; i < out.size() / each; ++i) {
      const float value = values[first / each + i];
      const double wide = value;
      const uint16_t half = type == DType::f16 ? f32_to_f16(value) : f32_to_bf16(value);
      const void* from = type == DType::f32   ? static_cast<const void*>(&value)
                         : type == DType::f64 ? static_cast<const void*>(&wide)
                                              : &half;
      std::memcpy(out.data() + i * each, from, each);
    }
  };
  return source;
}

// Counts what is read of a source.
struct Reads {
  std::atomic<uint64_t> calls{0}, bytes{0}, most{0};
};
TensorSource counted(TensorSource source, Reads& reads, std::function<void()> then = {}) {
  source.read = [&reads, then, read = source.read](const std::string& name, uint64_t first, std::span<std::byte> out) {
    read(name, first, out);
    ++reads.calls, reads.bytes += out.size();
    if (out.size() > reads.most) reads.most = out.size();
    if (then) then();
  };
  return source;
}

// Rows that no panel divides, taps, groups of 32 channels and none, and blocks of several units and of one.
std::vector<WeightWant> wants(Compute compute) {
  std::vector<WeightWant> list = {{"linear", {1003, 641}, WeightRole::matrix, compute},
                                  {"conv3", {331, 320, 3, 3}, WeightRole::matrix, compute},
                                  {"conv3.odd", {77, 45, 3, 3}, WeightRole::matrix, compute},
                                  {"conv.wide", {40, 2560, 3, 3}, WeightRole::matrix, compute},
                                  {"patch", {70, 3, 14, 14}, WeightRole::matrix, compute},
                                  {"geglu", {2 * 1001, 320}, WeightRole::geglu, compute},
                                  {"geglu.odd", {2 * 7, 33}, WeightRole::geglu, compute},
                                  {"grouped", {96, 1, 3, 3}, WeightRole::grouped, compute},
                                  {"table", {4099, 64}, WeightRole::vector, compute},
                                  {"bias", {1003}, WeightRole::vector, compute},
                                  {"scalar", {}, WeightRole::vector, compute}};
  return list;
}

TensorSource made_up(const std::vector<WeightWant>& wants) {
  TensorIndex index;
  for (const WeightWant& want : wants) index[want.path] = {DType::f32, want.dims};
  return synthetic("store", index);
}

struct Loaded {
  explicit Loaded(const cpu::Level& level, int threads = 2)
      : pool(threads), device{level, pool}, backend(cpu::make_backend(device)) {}
  ThreadPool pool;
  cpu::Device device;
  Backend backend;
};

}  // namespace

TEST("a weight packed in blocks is the weight packed at once, on every level and from every type") {
  for (const cpu::Level* level : cpu::levels())
    for (const Compute compute : {Compute::f32, Compute::bf16}) {
      if (compute == Compute::bf16 && !level->bf16) continue;
      Loaded on(*level);
      const std::vector<WeightWant> list = wants(compute);
      for (const DType type : {DType::f32, DType::f16, DType::bf16, DType::f64}) {
        const TensorSource source = as_type(made_up(list), type);
        Reads reads;
        const Store store(on.backend, on.pool, list, counted(source, reads));
        EXPECT(reads.calls > list.size() + 5);
        for (const WeightWant& want : list) {
          const std::vector<float> values = tensor_values(source, want.path);
          const DType stored = on.backend.stored_type(on.backend.self, want, type);
          const size_t bytes = on.backend.packed_bytes(on.backend.self, want, stored);
          const Memory whole(on.backend, bytes);
          on.backend.pack(on.backend.self, want, stored, {0, pack_rows(want), values.data(), DType::f32},
                          whole.place());
          if (std::memcmp(cpu::address(whole.place()), cpu::address(store.place(want.path).place), bytes) != 0)
            failed(__FILE__, __LINE__, std::string(level->name) + ": " + want.path + " as " + dtype_text(type));
        }
      }
    }
}

TEST("packed elements are the numbers of the file, on every level") {
  for (const cpu::Level* named : cpu::levels())
    for (const cpu::Level* level : {named, named->bf16}) {
      if (!level) continue;
      const Compute compute = level == named ? Compute::f32 : Compute::bf16;
      Loaded on(*named);
      const std::vector<WeightWant> list = wants(compute);
      const TensorSource source = as_type(made_up(list), DType::f16);
      const Store store(on.backend, on.pool, list, source);
      for (const WeightWant& want : list) {
        if (want.role != WeightRole::matrix && want.role != WeightRole::geglu) continue;
        const std::vector<float> values = tensor_values(source, want.path);
        const int64_t n = want.dims[0], cin = want.dims[1], k = product(want.dims) / n, taps = k / cin;
        const WeightPlace at = store.place(want.path);
        const cpu::PackedMatrix packed{cpu::address(at.place), k, n, at.type};
        int wrong = 0;
        for (int64_t row = 0; row < n; row += 3)
          for (int64_t i = 0; i < k; i += 5) {
            const int64_t column = want.role == WeightRole::geglu ? level->geglu_column(row, n) : row;
            const float file = values[static_cast<size_t>(row * k + i)];
            const float expected = compute == Compute::f32 ? file : bf16_to_f32(f32_to_bf16(file));
            wrong += level->packed_at(packed, i % taps * cin + i / taps, column) != expected;
          }
        if (wrong) failed(__FILE__, __LINE__, std::string(level->name) + ": " + want.path);
      }
    }
}

TEST("every f16 and every bf16 number is packed exactly, on every level") {
  std::vector<uint16_t> bits(1 << 16);
  for (size_t i = 0; i < bits.size(); ++i) bits[i] = static_cast<uint16_t>(i);
  for (const cpu::Level* named : cpu::levels())
    for (const cpu::Level* level : {named, named->bf16}) {
      if (!level) continue;
      Loaded on(*named);
      const bool rounds = level != named;
      const WeightWant want{"w", {1024, 64}, WeightRole::matrix, rounds ? Compute::bf16 : Compute::f32};
      const Memory packed(on.backend, on.backend.packed_bytes(on.backend.self, want, DType::f32));
      const auto check = [&](DType type, DType stored) {
        on.backend.pack(on.backend.self, want, stored, {0, 1024, bits.data(), type}, packed.place());
        int wrong = 0;
        for (const uint16_t v : bits) {
          const float file = type == DType::f16 ? f16_to_f32(v) : bf16_to_f32(v);
          if (rounds && std::fpclassify(file) == FP_SUBNORMAL) continue;  // the unit takes them as zero
          const float expected = rounds ? bf16_to_f32(f32_to_bf16(file)) : file;
          const float got = level->packed_at({cpu::address(packed.place()), 64, 1024, stored}, v % 64, v / 64);
          wrong += std::isnan(expected) ? !std::isnan(got) : got != expected;
        }
        if (wrong) failed(__FILE__, __LINE__, std::string(level->name) + ": " + dtype_text(type) + ", " + shown(wrong));
      };
      for (const DType type : {DType::f16, DType::bf16}) {
        check(type, DType::f32);
        check(type, on.backend.stored_type(on.backend.self, want, type));
      }
    }
}

TEST("a tensor that lies scattered in its file is read once and whole") {
  Loaded on(cpu::level("base"));
  const std::vector<WeightWant> list = wants(Compute::f32);
  TensorSource source = made_up(list);
  const uint64_t plain = Store(on.backend, on.pool, list, source).digest();
  for (auto& [name, info] : source.index) info.scattered = true;
  Reads reads;
  EXPECT_EQ(Store(on.backend, on.pool, list, counted(source, reads)).digest(), plain);
  EXPECT_EQ(reads.calls.load(), list.size());
}

TEST("every byte of a file is read once, in blocks of at most 4 MiB, and progress ends with all of them") {
  Loaded on(cpu::level("base"), 1);
  const std::vector<WeightWant> list = wants(Compute::f32);
  Reads reads;
  uint64_t total = 0, last = 0;
  LoadOptions options;
  options.progress = [&](uint64_t bytes, uint64_t all) {
    EXPECT(bytes > last && bytes <= all);
    last = bytes, total = all;
  };
  const Store store(on.backend, on.pool, list, counted(made_up(list), reads), options);
  uint64_t expected = 0;
  for (const WeightWant& want : list) expected += static_cast<uint64_t>(product(want.dims)) * sizeof(float);
  EXPECT_EQ(reads.bytes.load(), expected);
  EXPECT(reads.most <= uint64_t{4} << 20);
  EXPECT_EQ(last, expected);
  EXPECT_EQ(total, expected);
}

TEST("a raised stop flag ends loading within a block of a big tensor") {
  for (const int threads : {1, 2}) {
    Loaded on(cpu::level("base"), threads);
    const std::vector<WeightWant> list = {{"big", {4096, 4096}, WeightRole::matrix, Compute::f32}};
    StopFlag stop;
    LoadOptions options;
    options.stop = &stop;
    Reads reads;
    const TensorSource source = counted(made_up(list), reads, [&] { stop.raise(); });
    EXPECT_CODE(Store(on.backend, on.pool, list, source, options), Code::ABORTED);
    EXPECT(reads.calls >= 1 && reads.calls <= static_cast<uint64_t>(threads));
    EXPECT(reads.bytes <= static_cast<uint64_t>(threads) * (uint64_t{4} << 20));
  }
}

TEST("NaN and infinity are counted over the whole tensor, whichever block found them") {
  Loaded on(cpu::level("base"));
  const std::vector<WeightWant> list = {{"w", {2048, 640}, WeightRole::matrix, Compute::f32}};
  for (const DType type : {DType::f32, DType::f16, DType::bf16, DType::f64}) {
    const TensorSource sound = made_up(list);
    TensorSource bad = sound;
    bad.read = [&](const std::string& name, uint64_t first, std::span<std::byte> out) {
      sound.read(name, first, out);
      for (const size_t i : {1'000'001, 1'000'002, 1'310'719}) {
        const float value = i % 2 ? std::numeric_limits<float>::quiet_NaN() : -std::numeric_limits<float>::infinity();
        const size_t at = i * sizeof(float);
        if (at >= first && at < first + out.size()) std::memcpy(out.data() + (at - first), &value, sizeof value);
      }
    };
    const TensorSource source = as_type(bad, type);
    std::string text;
    try {
      const Store refused(on.backend, on.pool, list, source);
    } catch (const Error& e) {
      text = e.code == Code::TENSOR_NONFINITE ? e.what() : code_text(e.code);
    }
    if (text.find("w holds 3 numbers that are NaN or infinite, the first at 1000001") == std::string::npos)
      failed(__FILE__, __LINE__, std::string(dtype_text(type)) + ": " + text);
    LoadOptions options;
    options.allow_nonfinite = true;
    const Store store(on.backend, on.pool, list, source, options);
  }
}
