// Weights into the bf16 layout of bf16.h, k = tap * cin + c: [N / 32][K / 32][2][16 pairs][16 columns][2], filled up
// with zeros. Runs once at load, bound by memory: 16 rows x 32 values of k are rounded, then transposed as pairs. For
// GEGLU the first tile of a panel holds 16 value columns and the second their gates.
#include "cpu/kernels/bf16.h"
#include "cpu/kernels/kernels_of_level.h"

namespace ipa::cpu::IPA_ISA {

int64_t geglu_column(int64_t n, int64_t columns) {
  const int64_t half = columns / 2;
  const int64_t gate = n >= half ? 1 : 0, c = n - gate * half;
  return c / kLanes * kPanel + gate * kLanes + c % kLanes;
}

static int64_t padded(int64_t k) { return ceil_div(k, kDepthUnit) * kDepthUnit; }

size_t packed_bytes(int64_t k, int64_t n) {
  return static_cast<size_t>(ceil_div(n, kPanel) * kPanel * padded(k)) * sizeof(Operand);
}

// 32 operands of one column, k from `begin` on.
static void take_column(const float* w, int64_t begin, int64_t cin, int64_t taps, Operand* to) {
  const int64_t k = cin * taps;
  if (taps == 1 && begin + kDepthUnit <= k) return copy(w + begin, to, kDepthUnit);
  int64_t tap = begin / cin, c = begin % cin;
  for (int64_t i = 0; i < kDepthUnit; ++i) {
    to[i] = begin + i < k ? rounded(w[c * taps + tap]) : Operand{0};
    if (++c == cin) c = 0, ++tap;
  }
}

void pack(const float* from, int64_t n, int64_t cin, int64_t taps, bool geglu, void* to) {
  const int64_t k = cin * taps, panels = ceil_div(n, kPanel), blocks = padded(k) / kDepthUnit;
  const int64_t rows = geglu ? n / 2 : n;  // of one kind
  const bool whole = cin % kDepthUnit == 0;
  Operand* panel = static_cast<Operand*>(to);
  for (int64_t p = 0; p < panels; ++p, panel += padded(k) * kPanel)
    for (int64_t i = 0; i < blocks; ++i) {
      // All taps of 32 input channels one after the other: they share cache lines of the file's order.
      const int64_t block = whole ? i % taps * (cin / kDepthUnit) + i / taps : i;
      for (int64_t half = 0; half < 2; ++half) {
        alignas(64) Operand columns[kLanes][kDepthUnit];
        for (int64_t c = 0; c < kLanes; ++c) {
          const int64_t row = geglu ? p * kLanes + c : p * kPanel + half * kLanes + c;
          if (row < rows) {
            take_column(from + (row + (geglu ? half * rows : 0)) * k, block * kDepthUnit, cin, taps, columns[c]);
          } else {
            clear(columns[c], kDepthUnit);
          }
        }
        Operand* tile = panel + (block * 2 + half) * kTileHalf;
        transpose(reinterpret_cast<const float*>(columns), kLanes, reinterpret_cast<float*>(tile), kLanes, kLanes,
                  kLanes);
      }
    }
}

float packed_at(const PackedMatrix& w, int64_t k, int64_t column) {
  const int64_t block = column / kPanel * (padded(w.k) / kDepthUnit) + k / kDepthUnit;
  const int64_t half = column % kPanel / kLanes, pair = k % kDepthUnit / 2;
  return widened(static_cast<const Operand*>(
      w.data)[(block * 2 + half) * kTileHalf + pair * kPanel + column % kLanes * 2 + k % 2]);
}

}  // namespace ipa::cpu::IPA_ISA
