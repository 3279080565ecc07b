// The level "naive": weights keep the file's order [N, taps, Cin] (a panel of one column) and there are no kernels.
#include <algorithm>

#include "cpu/table.h"

namespace ipa::cpu::naive {
namespace {

int64_t geglu_column(int64_t n, int64_t) { return n; }

size_t packed_bytes(int64_t k, int64_t n, DType) { return static_cast<size_t>(k * n) * sizeof(float); }

void pack(const PackArgs& a) noexcept {
  constexpr int64_t kPart = 256;  // numbers of a row at a time
  const int64_t k = a.cin * a.taps, kinds = a.geglu ? 2 : 1;
  const size_t element = dtype_size(a.type);
  for (int64_t row = 0; row < a.rows * kinds; ++row) {
    const std::byte* from = static_cast<const std::byte*>(a.from) + static_cast<size_t>(row * k) * element;
    const int64_t kind = row / a.rows, n = kind * (a.n / kinds) + a.first + row % a.rows;
    float* to = static_cast<float*>(a.to) + n * k;
    float part[kPart];
    for (int64_t i = 0; i < k; i += kPart) {
      const int64_t count = std::min(kPart, k - i);
      to_f32(a.type, from + static_cast<size_t>(i) * element, part, static_cast<size_t>(count));
      for (int64_t j = 0; j < count; ++j) to[(i + j) % a.taps * a.cin + (i + j) / a.taps] = part[j];
    }
  }
}

float packed_at(const PackedMatrix& w, int64_t k, int64_t column) {
  return static_cast<const float*>(w.data)[column * w.k + k];
}

Level make_level() {
  Level l{};
  l.name = "naive", l.panel = 1, l.geglu_column = geglu_column;
  l.packed_bytes = packed_bytes, l.pack = pack, l.packed_at = packed_at;
  return l;
}

}  // namespace

const Level level = make_level();

}  // namespace ipa::cpu::naive
