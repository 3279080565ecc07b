// Packing of weights, number by number: loading is bound by the file.
#include "cuda/packing.h"

#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "core/error.h"

namespace ipa::cuda {
namespace {

// Calls f(row of the file, its numbers [channels][taps]).
template <typename F>
void for_each_row(const PackArguments& a, const F& f) {
  const int64_t width = a.channels * a.taps;
  std::vector<float> row(static_cast<size_t>(width));
  for (int64_t r = 0; r < a.rows; ++r) {
    const std::byte* const from = static_cast<const std::byte*>(a.from);
    to_f32(a.type, from + static_cast<size_t>(r * width) * dtype_size(a.type), row.data(), row.size());
    f(r, row);
  }
}

void from_f32(DType type, const float* from, std::byte* to, size_t count) {
  if (type == DType::f32) {
    std::memcpy(to, from, count * sizeof(float));
    return;
  }
  if (type != DType::f16 && type != DType::bf16)
    fail(Code::INTERNAL, std::string("weights are not packed to ") + dtype_text(type), "f32, f16 and bf16 are");
  for (size_t i = 0; i < count; ++i) {
    const uint16_t bits = type == DType::f16 ? f32_to_f16(from[i]) : f32_to_bf16(from[i]);
    std::memcpy(to + i * sizeof bits, &bits, sizeof bits);
  }
}

}  // namespace

int64_t geglu_row(int64_t i, int64_t n) { return i / 16 * 8 + i % 8 + (i % 16 < 8 ? 0 : n / 2); }

void pack_rows(const PackArguments& a) {
  const int64_t width = a.channels * a.taps;
  std::vector<float> packed(static_cast<size_t>(width));
  std::byte* const to = static_cast<std::byte*>(a.to);
  for_each_row(a, [&](int64_t r, const std::vector<float>& row) {
    for (int64_t i = 0; i < width; ++i)
      packed[static_cast<size_t>(i % a.taps * a.channels + i / a.taps)] = row[static_cast<size_t>(i)];
    // The inverse of geglu_row.
    const int64_t half = a.rows / 2, value = r % half;
    const int64_t place = a.geglu ? value / 8 * 16 + value % 8 + (r < half ? 0 : 8) : r;
    from_f32(a.to_type, packed.data(), to + static_cast<size_t>(place * width) * dtype_size(a.to_type), packed.size());
  });
}

void pack_doubled(const PackArguments& a) {
  const int64_t width = a.channels * 4;  // of a row of a 2x2 weight
  std::byte* const to = static_cast<std::byte*>(a.to);
  for_each_row(a, [&](int64_t r, const std::vector<float>& row) {
    for (int64_t number = 0; number < 4; ++number) {
      std::vector<float> packed(static_cast<size_t>(width));
      for (int64_t i = 0; i < a.channels * 9; ++i) {
        const int64_t y = (i % 9 / 3 + 1 - number / 2) / 2, x = (i % 3 + 1 - number % 2) / 2;
        packed[static_cast<size_t>((y * 2 + x) * a.channels + i / 9)] += row[static_cast<size_t>(i)];
      }
      from_f32(a.to_type, packed.data(),
               to + static_cast<size_t>((number * a.rows + r) * width) * dtype_size(a.to_type), packed.size());
    }
  });
}

void pack_columns(const PackArguments& a) {
  std::byte* const to = static_cast<std::byte*>(a.to);
  for_each_row(a, [&](int64_t r, const std::vector<float>& row) {
    for (int64_t i = 0; i < a.channels * a.taps; ++i) {
      const int64_t place = (i % a.taps * a.channels + i / a.taps) * a.rows + r;
      from_f32(a.to_type, &row[static_cast<size_t>(i)], to + static_cast<size_t>(place) * dtype_size(a.to_type), 1);
    }
  });
}

}  // namespace ipa::cuda
