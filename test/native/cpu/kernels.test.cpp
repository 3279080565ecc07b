// Every kernel of every level this CPU has against its naive twin (sums in f64), on sizes that divide by nothing; and
// the same bytes for 1, 2 and 5 threads. Levels with bf16 kernels are there twice. Those kernels get numbers that bf16
// can hold, so they too differ from the twin by the order of sums alone; only in attention P is rounded once more.
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "core/arena.h"
#include "core/dtype.h"
#include "cpu/kernels.h"
#include "cpu/naive/naive.h"
#include "cpu/table.h"
#include "test.h"

namespace ipa::cpu {
namespace {

using Numbers = std::vector<float>;

// `n` numbers in [-scale, scale); the same every time for one seed.
Numbers numbers(int64_t n, unsigned seed, float scale = 1) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-scale, scale);
  Numbers v(static_cast<size_t>(n));
  for (float& x : v) x = uniform(random);
  return v;
}

std::vector<const Level*> vector_levels() {
  std::vector<const Level*> list;
  for (const Level* l : levels()) {
    if (l->matmul) list.push_back(l);
    if (l->bf16) list.push_back(l->bf16);
  }
  return list;
}

bool is_bf16(const Level& level) {
  for (const Level* l : levels())
    if (l->bf16 == &level) return true;
  return false;
}

std::string name_of(const Level& level) { return std::string(level.name) + (is_bf16(level) ? " bf16" : ""); }

// Operands as the level's kernels take them in.
Numbers operands(const Level& level, Numbers v) {
  if (is_bf16(level))
    for (float& x : v) x = bf16_to_f32(f32_to_bf16(x));
  return v;
}

// ||a - b|| / ||b||
double relative_error(const Numbers& a, const Numbers& b) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    difference += d * d, size += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return difference == 0 ? 0 : std::sqrt(difference / size);
}

// Runs a kernel with `threads` and a scratch of just the size it asks for; what lies behind must stay untouched.
void run(int threads, size_t scratch_bytes, const std::function<void(const Context&)>& kernel) {
  constexpr std::byte kMark{0xA5};
  ThreadPool pool(threads);
  StopFlag stop;
  Arena scratch = allocate(scratch_bytes + 64);
  std::memset(scratch.get(), 0xff, scratch_bytes);  // NaN: a kernel must not read what it did not write
  std::memset(scratch.get() + scratch_bytes, static_cast<int>(kMark), 64);
  kernel({pool, stop, scratch.get()});
  for (size_t i = 0; i < 64; ++i) EXPECT(scratch[scratch_bytes + i] == kMark);
}

// y of the kernel, from a buffer of NaNs with a guard behind it.
Numbers result(int64_t size, const std::function<void(float*)>& kernel) {
  Numbers y(static_cast<size_t>(size) + 16, std::numeric_limits<float>::quiet_NaN());
  for (int i = 0; i < 16; ++i) y[static_cast<size_t>(size + i)] = 12345;
  kernel(y.data());
  for (int i = 0; i < 16; ++i) EXPECT_EQ(y[static_cast<size_t>(size + i)], 12345.0f);
  y.resize(static_cast<size_t>(size));
  return y;
}

bool same_bytes(const Numbers& a, const Numbers& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// ---- the result path: every combination that fold.cpp makes ----

struct Path {
  const char* name;
  Function function = Function::identity;
  bool geglu = false, bias = false, channel = false, shared_channel = false, residual = false;
};

const Path kPaths[] = {
    {"plain"},
    {"bias", Function::identity, false, true},
    {"bias, channel, residual", Function::identity, false, true, true, false, true},
    {"shared channel, silu", Function::silu, false, true, true, true},
    {"relu", Function::relu, false, true},
    {"gelu, residual", Function::gelu, false, true, false, false, true},
    {"quick gelu", Function::quick_gelu, false, true},
    {"geglu", Function::identity, true, true, false, false, true},
    {"geglu, channel", Function::identity, true, true, true},
};

// Memory of a ResultPath.
struct PathData {
  Numbers bias, channel, residual;
  int64_t columns;
  Path path;
  PathData(const Path& p, int64_t images, int64_t rows, int64_t n)
      : bias(numbers(n, 1)),
        channel(numbers(images * n, 2)),
        residual(numbers(rows * n, 3)),
        columns(p.geglu ? n / 2 : n),
        path(p) {}
  ResultPath to(float* y) const {
    const int64_t n = static_cast<int64_t>(bias.size());
    return {y,
            path.bias ? bias.data() : nullptr,
            path.channel ? channel.data() : nullptr,
            path.shared_channel ? 0 : n,
            path.residual ? residual.data() : nullptr,
            path.function,
            path.geglu};
  }
};

Arena packed(const Level& level, const Numbers& w, int64_t n, int64_t cin, int64_t taps, bool geglu,
             DType stored = DType::f32) {
  Arena data = allocate(level.packed_bytes(cin * taps, n, stored));
  level.pack({w.data(), DType::f32, n, cin, taps, geglu, 0, geglu ? n / 2 : n, data.get(), stored});
  return data;
}

void check_matmul(const Level& level, int64_t images, int64_t rows_per_image, int64_t k, int64_t n, const Path& path) {
  if (path.geglu) n += n % 2;
  const int64_t m = images * rows_per_image;
  const Numbers a = operands(level, numbers(m * k, 4)),
                w = operands(level, numbers(n * k, 5, std::sqrt(3.0f / static_cast<float>(k))));
  const Arena weight = packed(level, w, n, k, 1, path.geglu);
  const PathData data(path, images, m, n);
  const auto args = [&](float* y, int64_t rows) {
    return MatMulArgs{a.data(), rows, {weight.get(), k, n}, rows_per_image, data.to(y)};
  };
  const auto kernel = [&](int threads, int64_t rows) {
    return result(rows * data.columns, [&](float* y) {
      const MatMulArgs x = args(y, rows);
      run(threads, level.matmul_scratch(x, threads), [&](const Context& c) { level.matmul(x, c); });
    });
  };
  const Numbers expected = result(m * data.columns, [&](float* y) {
    const MatMulArgs x = args(y, m);
    run(1, naive::matmul_scratch(x), [&](const Context& c) { naive::matmul(level, x, c); });
  });
  const std::string what = name_of(level) + " matmul " + std::to_string(m) + "x" + std::to_string(k) + "x" +
                           std::to_string(n) + " " + path.name;
  const Numbers one = kernel(1, m);
  EXPECT_CLOSE(one, expected, 4e-6, what);  // f32 sums of terms below 3/sqrt(K)
  for (int threads : {2, 5})
    if (!same_bytes(kernel(threads, m), one))
      EXPECT_EQ(what + " with " + std::to_string(threads) + " threads", "the same bytes");
  // A row's numbers do not depend on how many rows there are.
  Numbers first = one;
  first.resize(static_cast<size_t>(rows_per_image * data.columns));
  if (!same_bytes(kernel(1, rows_per_image), first)) EXPECT_EQ(what + " one image", "the same bytes");
}

TEST("cpu kernels: matmul") {
  for (const Level* level : vector_levels()) {
    for (const Path& path : kPaths) {
      check_matmul(*level, 2, 29, 77, 75, path);
      check_matmul(*level, 3, 1, 5, 33, path);
      check_matmul(*level, 1, 64, 1000, 34, path);
    }
    for (int64_t rows = 1; rows <= 16; ++rows) check_matmul(*level, 1, rows, 40, 64, kPaths[1]);
    check_matmul(*level, 1, 1, 1, 1, kPaths[0]);
    check_matmul(*level, 1, 1100, 20, 40, kPaths[2]);  // more than one task of rows
    check_matmul(*level, 1, 17, 24, 1300, kPaths[2]);  // more than one block of columns
    check_matmul(*level, 2, 300, 900, 130, kPaths[2]);
    check_matmul(*level, 1, 40, 1300, 1100, kPaths[2]);  // several blocks of k and of columns
  }
}

TEST("cpu kernels: weights kept in 16 bits give the bytes of the same numbers in f32") {
  struct Case {
    int64_t m, k, n;
    bool geglu;
  };
  for (const Level* level : vector_levels())
    for (const Case& x : {Case{1, 40, 64, false}, {29, 77, 75, false}, {40, 1300, 1100, false}, {30, 700, 130, true}})
      for (const DType stored : {DType::f16, DType::bf16}) {
        Numbers w = numbers(x.n * x.k, 5);
        for (float& v : w) v = stored == DType::f16 ? f16_to_f32(f32_to_f16(v)) : bf16_to_f32(f32_to_bf16(v));
        const Numbers a = numbers(x.m * x.k, 4);
        const auto kept_as = [&](DType type) {
          const Arena weight = packed(*level, w, x.n, x.k, 1, x.geglu, type);
          return result(x.m * (x.geglu ? x.n / 2 : x.n), [&](float* y) {
            const ResultPath to{y, nullptr, nullptr, 0, nullptr, Function::identity, x.geglu};
            const MatMulArgs args{a.data(), x.m, {weight.get(), x.k, x.n, type}, x.m, to};
            run(2, level->matmul_scratch(args, 2), [&](const Context& c) { level->matmul(args, c); });
          });
        };
        if (!same_bytes(kept_as(stored), kept_as(DType::f32)))
          EXPECT_EQ(name_of(*level) + " " + dtype_text(stored) + " " + std::to_string(x.k), "the bytes of f32");
      }
}

TEST("cpu kernels: packing puts every number at packed_at") {
  for (const Level* level : vector_levels())
    for (const bool geglu : {false, true}) {
      constexpr int64_t kN = 42, kCin = 5, kTaps = 6;
      const Numbers w = operands(*level, numbers(kN * kCin * kTaps, 6));
      const Arena data = packed(*level, w, kN, kCin, kTaps, geglu);
      const PackedMatrix matrix = {data.get(), kCin * kTaps, kN};
      for (int64_t n = 0; n < kN; ++n)
        for (int64_t k = 0; k < kCin * kTaps; ++k)
          EXPECT_EQ(level->packed_at(matrix, k, geglu ? level->geglu_column(n, kN) : n),
                    w[static_cast<size_t>((n * kCin + k % kCin) * kTaps + k / kCin)]);
    }
}

// ---- convolution ----

struct ConvCase {
  int64_t n, h, w, c, out;
  int kernel = 3, stride = 1, pad = 1, dilation = 1;
  int64_t virtual_h = 0, virtual_w = 0;
  int pad_end = -1;  // bottom and right, when they differ from top and left
};

ConvArgs conv_sizes(const ConvCase& x) {
  const int64_t vh = x.virtual_h ? x.virtual_h : x.h, vw = x.virtual_w ? x.virtual_w : x.w;
  const int pads = x.pad + (x.pad_end < 0 ? x.pad : x.pad_end);
  ConvArgs a{};
  a.n = x.n, a.h = x.h, a.w = x.w, a.c = x.c, a.virtual_h = vh, a.virtual_w = vw;
  a.kernel_h = a.kernel_w = x.kernel, a.stride_h = a.stride_w = x.stride, a.dilation_h = a.dilation_w = x.dilation;
  a.pad_top = a.pad_left = x.pad;
  a.out_h = (vh + pads - x.dilation * (x.kernel - 1) - 1) / x.stride + 1;
  a.out_w = (vw + pads - x.dilation * (x.kernel - 1) - 1) / x.stride + 1;
  a.weight = {nullptr, x.c * x.kernel * x.kernel, x.out};
  return a;
}

struct ConvKernel {
  const char* name;
  double limit;  // of the difference of a result, whose terms are below 3/sqrt(K)
  size_t (*scratch)(const ConvArgs&, int threads);
  void (*run)(const ConvArgs&, const Context&) noexcept;
};

void check_conv(const Level& level, const ConvKernel& kernel, const ConvCase& x, const Path& path) {
  const ConvArgs sizes = conv_sizes(x);
  const int64_t pixels = sizes.out_h * sizes.out_w, k = sizes.weight.k, n = x.out;
  const Numbers image = operands(level, numbers(x.n * x.h * x.w * x.c, 7)),
                w = operands(level, numbers(n * k, 8, std::sqrt(3.0f / static_cast<float>(k))));
  const Arena weight = packed(level, w, n, x.c, k / x.c, path.geglu);
  const PathData data(path, x.n, x.n * pixels, n);
  const auto args = [&](float* y, int64_t images) {
    ConvArgs a = sizes;
    a.x = image.data(), a.n = images, a.weight.data = weight.get(), a.result = data.to(y);
    return a;
  };
  const auto by_kernel = [&](int threads, int64_t images) {
    return result(images * pixels * data.columns, [&](float* y) {
      const ConvArgs a = args(y, images);
      run(threads, kernel.scratch(a, threads), [&](const Context& c) { kernel.run(a, c); });
    });
  };
  const Numbers expected = result(x.n * pixels * data.columns, [&](float* y) {
    const ConvArgs a = args(y, x.n);
    run(1, naive::conv_scratch(a), [&](const Context& c) { naive::conv(level, a, c); });
  });
  const std::string what = name_of(level) + " " + kernel.name + " " + std::to_string(x.h) + "x" + std::to_string(x.w) +
                           "x" + std::to_string(x.c) + " -> " + std::to_string(n) + ", kernel " +
                           std::to_string(x.kernel) + ", stride " + std::to_string(x.stride) + ", " + path.name;
  const Numbers one = by_kernel(1, x.n);
  EXPECT_CLOSE(one, expected, kernel.limit, what);
  for (int threads : {2, 5})
    if (!same_bytes(by_kernel(threads, x.n), one))
      EXPECT_EQ(what + " with " + std::to_string(threads) + " threads", "the same bytes");
  // A picture's numbers do not depend on how many there are.
  Numbers first = one;
  first.resize(static_cast<size_t>(pixels * data.columns));
  if (!same_bytes(by_kernel(1, 1), first)) EXPECT_EQ(what + " one image", "the same bytes");
}

void check_conv(const Level& level, const ConvCase& x, const Path& path) {
  check_conv(level, {"conv", 4e-6, level.conv_scratch, level.conv}, x, path);
}

TEST("cpu kernels: conv") {
  for (const Level* level : vector_levels()) {
    for (const Path& path : kPaths) check_conv(*level, {2, 7, 9, 5, 38}, path);
    for (int64_t cin : {1, 3, 4, 9, 16, 33}) check_conv(*level, {1, 8, 8, cin, 20}, kPaths[1]);
    check_conv(*level, {1, 13, 11, 64, 35}, kPaths[2]);  // K of two blocks
    check_conv(*level, {2, 5, 3, 130, 4}, kPaths[2]);
    check_conv(*level, {1, 9, 7, 8, 6, 3, 2}, kPaths[1]);                  // stride 2
    check_conv(*level, {1, 8, 10, 8, 6, 3, 2, 0, 1, 0, 0, 1}, kPaths[1]);  // VAE down: padding at the end only
    check_conv(*level, {1, 9, 9, 8, 6, 3, 1, 2, 2}, kPaths[1]);            // dilation 2
    check_conv(*level, {1, 5, 4, 8, 6, 3, 1, 1, 1, 10, 8}, kPaths[1]);     // upsample by 2
    check_conv(*level, {1, 5, 4, 8, 6, 3, 1, 1, 1, 9, 7}, kPaths[1]);      // to an odd size
    check_conv(*level, {2, 6, 5, 12, 40, 1, 1, 0}, kPaths[2]);             // 1 x 1
    check_conv(*level, {1, 28, 28, 3, 24, 14, 14, 0}, kPaths[0]);          // patches of CLIP vision
    check_conv(*level, {1, 1, 1, 3, 2}, kPaths[1]);
    check_conv(*level, {1, 40, 40, 6, 33}, kPaths[2]);  // more than one task of rows
  }
}

TEST("cpu kernels: winograd, also where it would not be chosen") {
  int levels_with_it = 0;
  for (const Level* level : vector_levels()) {
    if (!level->winograd) continue;
    ++levels_with_it;
    const auto check = [&](const ConvCase& x, const Path& path) {
      // The transforms enlarge the roundings: relative error 1.2e-6 where implicit GEMM has 2.3e-7.
      check_conv(*level, {"winograd", 8e-6, level->winograd_scratch, level->winograd}, x, path);
    };
    for (const Path& path : kPaths)
      if (!path.geglu) check({2, 5, 7, 9, 38}, path);
    for (int64_t cin : {1, 3, 16, 33, 64}) check({1, 4, 4, cin, 20}, kPaths[1]);
    check({1, 1, 1, 64, 64}, kPaths[2]);
    check({2, 13, 9, 70, 130}, kPaths[2]);  // several groups of panels
    check({1, 6, 10, 650, 34}, kPaths[2]);  // three blocks of k, the last vector of each not full
    check({1, 76, 75, 6, 8}, kPaths[2]);    // more tiles than a chunk
    check({3, 50, 51, 3, 5}, kPaths[2]);    // the same, ending inside of an image
    for (const Path& path : {kPaths[1], kPaths[2]})
      check({1, 125, 130, 10, 40}, path);    // so many tiles that threads go alone
    check({2, 127, 128, 33, 3}, kPaths[2]);  // the same of two pictures
    check({1, 64, 65, 16, 20, 3, 1, 1, 1, 128, 130}, kPaths[1]);
    check({1, 5, 4, 8, 6, 3, 1, 1, 1, 10, 8}, kPaths[1]);     // upsample by 2
    check({1, 5, 4, 8, 6, 3, 1, 1, 1, 9, 7}, kPaths[1]);      // to an odd size
    check({1, 8, 10, 8, 6, 3, 1, 0, 1, 0, 0, 1}, kPaths[1]);  // padding at the end only
    check({1, 8, 10, 8, 6, 3, 1, 0}, kPaths[1]);              // and none
  }
  EXPECT(levels_with_it > 0);
}

TEST("cpu kernels: convolutions with weights kept in 16 bits give the bytes of the same numbers in f32") {
  const ConvCase x{1, 13, 9, 70, 130};
  Numbers w = numbers(x.out * x.c * 9, 8);
  for (float& v : w) v = bf16_to_f32(f32_to_bf16(v));  // which f16 holds as well
  const Numbers image = numbers(x.h * x.w * x.c, 7);
  for (const Level* level : vector_levels())
    for (const bool winograd : {false, true}) {
      if (winograd && !level->winograd) continue;
      const auto kept_as = [&](DType type) {
        const Arena weight = packed(*level, w, x.out, x.c, 9, false, type);
        return result(x.h * x.w * x.out, [&](float* y) {
          ConvArgs a = conv_sizes(x);
          a.x = image.data(), a.weight.data = weight.get(), a.weight.type = type, a.result.y = y;
          const size_t scratch = (winograd ? level->winograd_scratch : level->conv_scratch)(a, 2);
          run(2, scratch, [&](const Context& c) { (winograd ? level->winograd : level->conv)(a, c); });
        });
      };
      const Numbers expected = kept_as(DType::f32);
      for (const DType type : {DType::f16, DType::bf16})
        if (!same_bytes(kept_as(type), expected))
          EXPECT_EQ(name_of(*level) + (winograd ? " winograd " : " ") + dtype_text(type), "the bytes of f32");
    }
}

TEST("cpu kernels: winograd of a bf16 level gives the bytes of its f32 kernels on the same weights") {
  int levels_with_it = 0;
  // Whole blocks of 32 channels and not; more channels than a block of k, an odd number of them.
  for (const ConvCase& x : {ConvCase{1, 13, 9, 64, 130}, ConvCase{2, 8, 8, 352, 40}, ConvCase{1, 9, 6, 33, 70},
                            ConvCase{1, 128, 125, 64, 40}}) {
    Numbers w = numbers(x.out * x.c * 9, 8);
    for (float& v : w) v = bf16_to_f32(f32_to_bf16(v));
    const Numbers image = numbers(x.n * x.h * x.w * x.c, 7);
    for (const Level* f32 : levels()) {
      if (!f32->bf16 || !f32->bf16->winograd) continue;
      ++levels_with_it;
      const auto by = [&](const Level& level) {
        const Arena weight = packed(level, w, x.out, x.c, 9, false, DType::f32);
        return result(x.n * x.h * x.w * x.out, [&](float* y) {
          ConvArgs a = conv_sizes(x);
          a.x = image.data(), a.weight.data = weight.get(), a.weight.type = DType::f32, a.result.y = y;
          run(2, level.winograd_scratch(a, 2), [&](const Context& c) { level.winograd(a, c); });
        });
      };
      if (!same_bytes(by(*f32->bf16), by(*f32))) EXPECT_EQ(name_of(*f32->bf16) + " winograd", "the bytes of f32");
    }
  }
  EXPECT(levels_with_it >= 4);  // the stand-in at least, for each case
}

TEST("cpu kernels: convolutions to few channels") {
  int levels_with_it = 0;
  for (const Level* level : vector_levels()) {
    if (!level->conv_few) continue;
    ++levels_with_it;
    const auto check = [&](const ConvCase& x) {
      EXPECT(level->conv_few_fits(conv_sizes(x)));
      for (const Path& path : {kPaths[0], kPaths[1]})
        check_conv(*level, {"few", 4e-6, level->conv_few_scratch, level->conv_few}, x, path);
    };
    for (int64_t out : {1, 2, 3, 4}) check({2, 7, 9, 38, out});
    for (int64_t c : {1, 16, 33, 320}) check({1, 5, 17, c, 3});
    check({1, 100, 6, 8, 3});                      // several bands, the last of them short
    check({1, 1, 1, 64, 4});                       // nothing but padding around
    check({1, 8, 10, 8, 3, 3, 1, 0, 1, 0, 0, 1});  // padding at the end only
    check({1, 8, 10, 8, 3, 3, 1, 0});              // and none
    check({1, 9, 12, 8, 2, 5, 1, 2});              // a kernel of 5 x 5
  }
  EXPECT(levels_with_it > 0);
}

TEST("cpu kernels: convolutions to few channels are taken where nothing but the sums and the bias is wanted") {
  for (const Level* level : vector_levels()) {
    const auto fits = [&](const ConvCase& x, const Path& path = {}) {
      ConvArgs args = conv_sizes(x);
      float number = 0;
      args.result.function = path.function;
      if (path.channel) args.result.channel = &number;
      if (path.residual) args.result.residual = &number;
      return level->conv_few_fits(args);
    };
    EXPECT(fits({1, 64, 64, 320, 4}) && fits({8, 512, 512, 64, 3}));
    EXPECT(!fits({1, 64, 64, 320, 5}) && !fits({1, 64, 64, 321, 4}));
    EXPECT(!fits({1, 64, 64, 320, 4, 1, 1, 0}) && !fits({1, 64, 64, 320, 4, 3, 2}));
    EXPECT(!fits({1, 64, 64, 32, 4, 3, 1, 2, 2}) && !fits({1, 64, 64, 32, 4, 3, 1, 1, 1, 128, 128}));
    for (const Path& path : kPaths)
      EXPECT_EQ(fits({1, 64, 64, 320, 4}, path),
                path.function == Function::identity && !path.channel && !path.residual && !path.geglu);
  }
}

TEST("cpu kernels: winograd is taken where it is faster, however many pictures there are") {
  for (const Level* level : vector_levels()) {
    // Products of tiles and of blocks are four times as fast as f32 and more.
    const bool faster = is_bf16(*level) && !name_of(*level).starts_with("avx512bf16");
    EXPECT_EQ(level->winograd == nullptr, faster);
    EXPECT_EQ(level->winograd_fits == nullptr, faster);
    if (!level->winograd) continue;
    const auto fits = [&](const ConvCase& x) { return level->winograd_fits(conv_sizes(x)); };
    for (int64_t n : {1, 2, 8}) {
      EXPECT(fits({n, 64, 64, 320, 320}) && fits({n, 16, 16, 2560, 1280}) && fits({n, 16, 16, 128, 128}));
      EXPECT_EQ(fits({n, 12, 12, 64, 64}) && fits({n, 12, 12, 640, 640}) && fits({n, 64, 64, 96, 96}),
                !is_bf16(*level));
      EXPECT_EQ(fits({n, 12, 12, 64, 64}) || fits({n, 12, 12, 640, 640}) || fits({n, 64, 64, 96, 96}),
                !is_bf16(*level));
      EXPECT(fits({n, 128, 128, 64, 64}));
      EXPECT(fits({n, 64, 64, 128, 3}));                        // few results waste a panel in either kernel
      EXPECT(fits({n, 32, 32, 640, 640, 3, 1, 1, 1, 64, 64}));  // upsample
      EXPECT(!fits({n, 8, 8, 1280, 1280}) && !fits({n, 1, 256, 320, 320}));  // few tiles, tiles half empty
      EXPECT(!fits({n, 64, 64, 4, 320}) && !fits({n, 64, 64, 40, 64}));      // few channels
      EXPECT(!fits({n, 64, 64, 320, 320, 3, 2}) && !fits({n, 64, 64, 320, 320, 1, 1, 0}));
      EXPECT(!fits({n, 64, 64, 320, 320, 3, 1, 2, 2}) && !fits({n, 64, 64, 320, 320, 5, 1, 2}));
    }
  }
}

// ---- attention ----

struct TermCase {
  int64_t tokens;
  float scale = 1;
  bool mask = false, shared = false;
};

void check_attend(const Level& level, int64_t images, int64_t queries, int heads, int64_t d, bool causal,
                  const std::vector<TermCase>& terms, float spread = 2) {
  const int64_t c = heads * d;
  // Scores of hundreds: q and k must then count with more than 8 bits, or the softmax is off by parts of one.
  const auto given = [&](Numbers v) { return spread > 8 ? v : operands(level, std::move(v)); };
  const Numbers q = given(numbers(images * queries * c, 9, spread));
  std::vector<Numbers> ks, vs, masks;
  std::vector<AttendTermArgs> list;
  for (const TermCase& t : terms) {
    const unsigned seed = static_cast<unsigned>(ks.size()) * 3;
    ks.push_back(given(numbers((t.shared ? 1 : images) * t.tokens * c, seed + 10, spread)));
    vs.push_back(operands(level, numbers((t.shared ? 1 : images) * t.tokens * c, seed + 11)));
    masks.push_back(numbers(images * queries, seed + 12));
  }
  for (size_t i = 0; i < terms.size(); ++i) {
    const TermCase& t = terms[i];
    list.push_back({ks[i].data(), vs[i].data(), t.shared ? 0 : t.tokens * c, t.tokens,
                    t.scale == 1 ? nullptr : &t.scale, t.mask ? masks[i].data() : nullptr, t.shared ? 0 : queries});
  }
  const auto args = [&](float* y) {
    return AttendArgs{q.data(), images,      queries,
                      heads,    d,           1 / std::sqrt(static_cast<float>(d)),
                      causal,   list.data(), static_cast<int>(list.size()),
                      y};
  };
  const auto kernel = [&](int threads) {
    return result(images * queries * c, [&](float* y) {
      const AttendArgs a = args(y);
      run(threads, level.attend_scratch(a, threads), [&](const Context& x) { level.attend(a, x); });
    });
  };
  const Numbers expected = result(images * queries * c, [&](float* y) {
    const AttendArgs a = args(y);
    run(1, naive::attend_scratch(a, 1), [&](const Context& x) { naive::attend(a, x); });
  });
  const std::string what = name_of(level) + " attend " + std::to_string(images) + "x" + std::to_string(queries) + ", " +
                           std::to_string(terms[0].tokens) + " keys, " + std::to_string(terms.size()) + " terms, " +
                           std::to_string(heads) + " heads of " + std::to_string(d) + (causal ? ", causal" : "");
  const Numbers one = kernel(1);
  if (is_bf16(level)) {  // P has 8 bits; half a unit of them, evenly spread, is 0.0017
    const double error = relative_error(one, expected);
    if (!(error <= 0.004)) EXPECT_EQ(what + " has error " + std::to_string(error), "at most 0.004");
  } else {
    EXPECT_CLOSE(one, expected, 4e-6 * static_cast<double>(spread), what);  // scores up to some 10, rounded to f32
  }
  for (int threads : {2, 5})
    if (!same_bytes(kernel(threads), one))
      EXPECT_EQ(what + " with " + std::to_string(threads) + " threads", "the same bytes");
}

TEST("cpu kernels: attend") {
  for (const Level* level : vector_levels()) {
    for (int64_t d : {1, 3, 8, 16, 23, 40, 64, 80, 88, 128, 160}) check_attend(*level, 1, 37, 2, d, false, {{45}});
    check_attend(*level, 1, 20, 1, 512, false, {{33}});
    check_attend(*level, 2, 5, 3, 40, false, {{1}});
    check_attend(*level, 1, 1, 1, 8, false, {{300}});
    check_attend(*level, 2, 130, 2, 24, false, {{500}});  // several blocks of keys
    check_attend(*level, 1, 200, 2, 16, true, {{200}});   // causal
    check_attend(*level, 1, 77, 3, 64, true, {{77}});
    check_attend(*level, 2, 70, 2, 40, false, {{77}, {4, 0.6f}, {257, -0.5f, true}});  // image prompts
    check_attend(*level, 2, 70, 2, 40, false, {{77}, {4, 0.6f, true, true}, {16, 0.0f}});
    check_attend(*level, 1, 33, 1, 8, false, {{60, 0.0f}});  // all left out: zeros
    check_attend(*level, 1, 50, 2, 40, false, {{300}}, 12);  // scores up to some hundred
  }
}

TEST("cpu kernels: a bf16 level rounds its operands to nearest even") {
  for (const Level* level : vector_levels()) {
    if (!is_bf16(*level)) continue;
    const int64_t m = 35, k = 70, n = 40;
    const Numbers a = numbers(m * k, 1), w = numbers(n * k, 2);
    const auto of = [&](const Numbers& x, const Numbers& weights) {
      const Arena packed_weight = packed(*level, weights, n, k, 1, false);
      return result(m * n, [&](float* y) {
        const MatMulArgs args = {
            x.data(), m, {packed_weight.get(), k, n}, m, {y, nullptr, nullptr, 0, nullptr, Function::identity, false}};
        run(1, level->matmul_scratch(args, 1), [&](const Context& c) { level->matmul(args, c); });
      });
    };
    EXPECT(same_bytes(of(a, w), of(operands(*level, a), operands(*level, w))));
    Numbers half = operands(*level, a);  // a tie goes to the even neighbour: 1 + 1/256 down, 1 + 3/256 up
    half[0] = 1 + 1.0f / 256, half[1] = 1 + 3.0f / 256;
    Numbers even = half;
    even[0] = 1, even[1] = 1 + 4.0f / 256;
    EXPECT(same_bytes(of(half, w), of(even, w)));
    half[2] = 1e-39f, even[2] = 0;  // a denormal operand is a zero to the instructions
    EXPECT(same_bytes(of(half, Numbers(w.size(), 1e38f)), of(even, Numbers(w.size(), 1e38f))));
    half[2] = std::numeric_limits<float>::quiet_NaN();  // a NaN reaches its own row, all of it, and no other
    const Numbers y = of(half, w);
    for (int64_t i = 0; i < m * n; ++i) EXPECT_EQ(std::isnan(y[static_cast<size_t>(i)]), i < n);
  }
}

TEST("cpu kernels: the instructions of a bf16 level give the bytes of their stand-in") {
  const int64_t m = 35, k = 70, n = 40;
  Numbers a = numbers(m * k, 1), w = numbers(n * k, 2);
  for (size_t i = 0; i < a.size(); i += 3) a[i] *= std::ldexp(1.0f, static_cast<int>(i % 160) - 80);  // cancellation
  for (size_t i = 0; i < w.size(); i += 5) w[i] *= std::ldexp(1.0f, static_cast<int>(i % 80) - 60);   // denormal sums
  const auto of = [&](const Level& level) {
    const Arena packed_weight = packed(level, w, n, k, 1, false);
    return result(m * n, [&](float* y) {
      const MatMulArgs args = {
          a.data(), m, {packed_weight.get(), k, n}, m, {y, nullptr, nullptr, 0, nullptr, Function::identity, false}};
      run(1, level.matmul_scratch(args, 1), [&](const Context& c) { level.matmul(args, c); });
    });
  };
  for (const Level* level : vector_levels())
    for (const Level* other : vector_levels())
      if (is_bf16(*level) && is_bf16(*other) && std::string(level->name) + "-stand-in" == other->name)
        EXPECT(same_bytes(of(*level), of(*other)));
}

TEST("cpu kernels: a scale of 0 leaves a term out exactly, whatever it holds") {
  for (const Level* level : vector_levels()) {
    const int64_t queries = 40, tokens = 9, d = 16;
    const Numbers q = numbers(queries * d, 1), k = numbers(tokens * d, 2), v = numbers(tokens * d, 3);
    const Numbers nan(static_cast<size_t>(tokens * d), std::numeric_limits<float>::quiet_NaN());
    const float zero = 0;
    const AttendTermArgs terms[] = {{k.data(), v.data(), 0, tokens, nullptr, nullptr, 0},
                                    {nan.data(), nan.data(), 0, tokens, &zero, nullptr, 0}};
    const auto with = [&](int count) {
      return result(queries * d, [&](float* y) {
        const AttendArgs a = {q.data(), 1, queries, 1, d, 0.25f, false, terms, count, y};
        run(2, level->attend_scratch(a, 2), [&](const Context& x) { level->attend(a, x); });
      });
    };
    EXPECT(same_bytes(with(1), with(2)));
  }
}

// ---- norms ----

TEST("cpu kernels: group norm") {
  struct Case {
    int64_t images, pixels, channels;
    int groups;
    float offset;
    Function function;
  };
  for (const Level* level : vector_levels())
    for (const Case& x : {Case{1, 64, 32, 32, 0, Function::identity}, Case{2, 131, 320, 32, 0, Function::silu},
                          Case{2, 9, 12, 3, 0, Function::silu}, Case{1, 1, 5, 1, 0, Function::identity},
                          Case{1, 300, 40, 4, 1000, Function::identity}, Case{1, 70000, 6, 2, 3, Function::silu}}) {
      const int64_t size = x.images * x.pixels * x.channels;
      Numbers in = numbers(size, 1);
      for (float& v : in) v += x.offset;
      const Numbers scale = numbers(x.channels, 2), shift = numbers(x.channels, 3);
      const auto args = [&](float* y) {
        return GroupNormArgs{in.data(),  scale.data(), shift.data(), x.images,   x.pixels,
                             x.channels, x.groups,     1e-5f,        x.function, y};
      };
      const auto kernel = [&](int threads) {
        return result(size, [&](float* y) {
          const GroupNormArgs a = args(y);
          run(threads, level->group_norm_scratch(a, threads), [&](const Context& c) { level->group_norm(a, c); });
        });
      };
      const Numbers expected =
          result(size, [&](float* y) { run(1, 0, [&](const Context& c) { naive::group_norm(args(y), c); }); });
      const std::string what = std::string(level->name) + " group norm of " + std::to_string(x.pixels) + " pixels";
      // The rounding of x itself and of the mean: half a unit of 1000 over a deviation of 0.6.
      const double limit = x.offset > 100 ? 1e-4 : 2e-6;
      const Numbers one = kernel(1);
      EXPECT_CLOSE(one, expected, limit, what);
      EXPECT(same_bytes(kernel(2), one) && same_bytes(kernel(5), one));
    }
}

TEST("cpu kernels: group norm of a constant is its shift") {
  for (const Level* level : vector_levels()) {
    const Numbers in(64 * 8, 0.1f), scale(8, 2.0f), shift = numbers(8, 1);
    const Numbers y = result(64 * 8, [&](float* out) {
      const GroupNormArgs a = {in.data(), scale.data(), shift.data(), 1, 64, 8, 2, 1e-6f, Function::identity, out};
      run(1, level->group_norm_scratch(a, 1), [&](const Context& c) { level->group_norm(a, c); });
    });
    for (size_t i = 0; i < y.size(); ++i) EXPECT_EQ(y[i], shift[i % 8]);
  }
}

TEST("cpu kernels: layer norm") {
  for (const Level* level : vector_levels())
    for (int64_t channels : {1, 7, 32, 100, 320, 1283}) {
      const int64_t rows = 53;
      const Numbers in = numbers(rows * channels, 1), scale = numbers(channels, 2), shift = numbers(channels, 3);
      const auto args = [&](float* y) {
        return LayerNormArgs{in.data(), scale.data(), shift.data(), rows, channels, 1e-5f, y};
      };
      const auto kernel = [&](int threads) {
        return result(rows * channels,
                      [&](float* y) { run(threads, 0, [&](const Context& c) { level->layer_norm(args(y), c); }); });
      };
      const Numbers expected = result(
          rows * channels, [&](float* y) { run(1, 0, [&](const Context& c) { naive::layer_norm(args(y), c); }); });
      const Numbers one = kernel(1);
      EXPECT_CLOSE(one, expected, 2e-6, std::string(level->name) + " layer norm of " + std::to_string(channels));
      EXPECT(same_bytes(kernel(2), one));
    }
}

// ---- elements ----

double exact(Function f, double x, double alpha, double beta) {
  switch (f) {
    case Function::identity:
      return x;
    case Function::relu:
      return x < 0 ? 0 : x;
    case Function::leaky_relu:
      return x < 0 ? x * alpha : x;
    case Function::silu:
      return x / (1 + std::exp(-x));
    case Function::gelu:
      return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case Function::quick_gelu:
      return x / (1 + std::exp(-1.702 * x));
    case Function::sigmoid:
      return 1 / (1 + std::exp(-x));
    case Function::tanh:
      return std::tanh(x);
    case Function::exp:
      return std::exp(x);
    case Function::sqrt:
      return std::sqrt(x);
    case Function::abs:
      return std::abs(x);
    case Function::neg:
      return -x;
    case Function::clip:
      return std::min(std::max(x, alpha), beta);
    case Function::floor:
      return std::floor(x);
    case Function::ceil:
      return std::ceil(x);
  }
  return 0;
}

constexpr Function kFunctions[] = {Function::identity, Function::relu,       Function::leaky_relu, Function::silu,
                                   Function::gelu,     Function::quick_gelu, Function::sigmoid,    Function::tanh,
                                   Function::exp,      Function::sqrt,       Function::abs,        Function::neg,
                                   Function::clip,     Function::floor,      Function::ceil};

TEST("cpu kernels: element functions against f64") {
  Numbers x = numbers(4001, 1, 30);
  for (float v : {0.0f, 1e-30f, -1e-30f, 0.5f, -0.5f, 80.0f, -80.0f, 88.5f, -87.0f, -100.0f, 0.599f, 0.601f})
    x.push_back(v);
  for (int i = -4000; i <= 4000; ++i) x.push_back(static_cast<float>(i) * 0.0017f);
  for (const Level* level : vector_levels())
    for (const Function f : kFunctions) {
      Numbers in = x;
      if (f == Function::sqrt)
        for (float& v : in) v = std::abs(v);
      const Numbers y = result(static_cast<int64_t>(in.size()), [&](float* out) {
        level->apply(f, in.data(), 0.25f, 3.5f, out, static_cast<int64_t>(in.size()));
      });
      double worst = 0;
      size_t place = 0;
      for (size_t i = 0; i < in.size(); ++i) {
        const double expected = exact(f, static_cast<double>(in[i]), 0.25, 3.5);
        const double part = std::abs(static_cast<double>(y[i]) - expected) / (5e-7 + 5e-7 * std::abs(expected));
        if (!(part <= worst)) worst = part, place = i;
      }
      if (!(worst <= 1))
        EXPECT_EQ(std::string(level->name) + " function " + std::to_string(static_cast<int>(f)) + " at " +
                      std::to_string(in[place]) + " gives " + std::to_string(y[place]),
                  "within 5e-7 + 5e-7 relative");
    }
}

TEST("cpu kernels: element functions at the ends of the range") {
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (const Level* level : vector_levels()) {
    const auto at = [&](Function f, float x) {
      float y = 7;
      level->apply(f, &x, 0, 1, &y, 1);
      return y;
    };
    EXPECT_EQ(at(Function::exp, 89.0f), infinity);
    EXPECT_EQ(at(Function::exp, infinity), infinity);
    EXPECT_EQ(at(Function::exp, -infinity), 0.0f);
    EXPECT_EQ(at(Function::exp, 0.0f), 1.0f);
    EXPECT_EQ(at(Function::tanh, infinity), 1.0f);
    EXPECT_EQ(at(Function::tanh, -infinity), -1.0f);
    EXPECT_EQ(at(Function::sigmoid, -infinity), 0.0f);
    EXPECT_EQ(at(Function::silu, 1e4f), 1e4f);
    EXPECT_EQ(at(Function::gelu, 50.0f), 50.0f);
    EXPECT_EQ(at(Function::floor, -2.5f), -3.0f);
    EXPECT_EQ(at(Function::ceil, -2.5f), -2.0f);
    for (const Function f : kFunctions) EXPECT(std::isnan(at(f, nan)));
  }
}

TEST("cpu kernels: geglu, sums and in-place use") {
  for (const Level* level : vector_levels()) {
    constexpr int64_t kRows = 5, kColumns = 43, kSize = kRows * kColumns;
    const Numbers x = numbers(2 * kSize, 1, 3), a = numbers(kSize, 2), b = numbers(kSize, 3);
    const auto by = [&](auto kernel) { return result(kSize, kernel); };
    EXPECT_CLOSE(by([&](float* y) { level->geglu(x.data(), y, kRows, kColumns); }),
                 by([&](float* y) { naive::geglu(x.data(), y, kRows, kColumns); }), 1e-6, "geglu");
    EXPECT(same_bytes(by([&](float* y) { level->add(a.data(), b.data(), y, kSize); }),
                      by([&](float* y) { naive::add(a.data(), b.data(), y, kSize); })));
    EXPECT_CLOSE(by([&](float* y) { level->add_scaled(a.data(), b.data(), 0.3f, y, kSize); }),
                 by([&](float* y) { naive::add_scaled(a.data(), b.data(), 0.3f, y, kSize); }), 2e-7, "add scaled");
    const Numbers nan(static_cast<size_t>(kSize), std::numeric_limits<float>::quiet_NaN());
    EXPECT(same_bytes(by([&](float* y) { level->add_scaled(a.data(), nan.data(), 0.0f, y, kSize); }), a));
    Numbers inside = a;
    level->apply(Function::silu, inside.data(), 0, 0, inside.data(), kSize);
    EXPECT(same_bytes(by([&](float* y) { level->apply(Function::silu, a.data(), 0, 0, y, kSize); }), inside));
    // A range cut in two gives the same bytes as one.
    Numbers halves = a;
    level->apply(Function::gelu, a.data(), 0, 0, halves.data(), 19);
    level->apply(Function::gelu, a.data() + 19, 0, 0, halves.data() + 19, kSize - 19);
    EXPECT(same_bytes(by([&](float* y) { level->apply(Function::gelu, a.data(), 0, 0, y, kSize); }), halves));
  }
}

TEST("cpu kernels: a raised stop flag ends every kernel early") {
  for (const Level* level : vector_levels()) {
    StopFlag stop;
    stop.raise();
    ThreadPool pool(2);
    const Numbers a = numbers(64 * 64, 1);
    const Arena weight = packed(*level, a, 64, 64, 1, false);
    const Numbers y = result(64 * 64, [&](float* out) {
      for (int i = 0; i < 64 * 64; ++i) out[i] = 7;
      const MatMulArgs args = {
          a.data(), 64, {weight.get(), 64, 64}, 64, {out, nullptr, nullptr, 0, nullptr, Function::identity, false}};
      const Arena scratch = allocate(level->matmul_scratch(args, 2));
      level->matmul(args, {pool, stop, scratch.get()});
    });
    for (float v : y) EXPECT_EQ(v, 7.0f);
    if (!level->winograd) continue;
    const Arena taps = packed(*level, numbers(9 * 16 * 16, 2), 16, 16, 9, false);
    const Numbers z = result(16 * 16 * 16, [&](float* out) {
      for (int i = 0; i < 16 * 16 * 16; ++i) out[i] = 7;
      ConvArgs args = conv_sizes({1, 16, 16, 16, 16});
      args.x = a.data(), args.weight.data = taps.get(), args.result.y = out;
      const Arena scratch = allocate(level->winograd_scratch(args, 2));
      level->winograd(args, {pool, stop, scratch.get()});
    });
    for (float v : z) EXPECT_EQ(v, 7.0f);
  }
}

}  // namespace
}  // namespace ipa::cpu
