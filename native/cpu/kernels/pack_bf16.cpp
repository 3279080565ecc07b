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

static constexpr int64_t kMostTaps = 9;

static int64_t padded(int64_t k) { return ceil_div(k, kDepthUnit) * kDepthUnit; }

size_t packed_bytes(int64_t k, int64_t n, DType) {
  return static_cast<size_t>(ceil_div(n, kPanel) * kPanel * padded(k)) * sizeof(Operand);
}

// The tile of 16 columns that lie `step` operands apart, as pairs of k.
static void put_tile(const Operand* columns, int64_t step, Operand* to) {
  alignas(64) float tile[kLanes][kLanes];
  transpose(reinterpret_cast<const float*>(columns), step / 2, tile[0], kLanes, kLanes, kLanes);
  for (int64_t i = 0; i < kLanes; ++i) store_past(reinterpret_cast<float*>(to) + i * kLanes, load(tile[i]));
}

// One tile of every block of k, from `rows` <= 16 rows. Whole groups of 32 channels and few taps: a group is rounded
// as it lies in the file and its taps are picked from L1.
template <typename From>
static void pack_groups(const From* from, int64_t rows, int64_t cin, int64_t taps, Operand* to) {
  alignas(64) Operand group[kLanes][kDepthUnit * kMostTaps] = {}, columns[kLanes][kDepthUnit];
  const int64_t groups = cin / kDepthUnit, numbers = kDepthUnit * taps;
  for (int64_t g = 0; g < groups; ++g) {
    for (int64_t r = 0; r < rows; ++r) copy(from + (r * groups + g) * numbers, group[r], numbers);
    if (taps == 1) {
      put_tile(group[0], kDepthUnit * kMostTaps, to + g * 2 * kTileHalf);
      continue;
    }
    for (int64_t tap = 0; tap < taps; ++tap) {
      for (int64_t r = 0; r < kLanes; ++r)
        for (int64_t i = 0; i < kDepthUnit; ++i) columns[r][i] = group[r][i * taps + tap];
      put_tile(columns[0], kDepthUnit, to + (tap * groups + g) * 2 * kTileHalf);
    }
  }
}

// The same for any sizes, number by number.
template <typename From>
static void pack_any(const From* from, int64_t rows, int64_t cin, int64_t taps, Operand* to) {
  const int64_t k = cin * taps;
  for (int64_t block = 0; block < padded(k) / kDepthUnit; ++block) {
    alignas(64) Operand columns[kLanes][kDepthUnit] = {};
    for (int64_t i = block * kDepthUnit; i < least(k, (block + 1) * kDepthUnit); ++i)
      for (int64_t r = 0; r < rows; ++r)
        columns[r][i % kDepthUnit] = rounded(f32(from[r * k + i % cin * taps + i / cin]));
    put_tile(columns[0], kDepthUnit, to + block * 2 * kTileHalf);
  }
}

template <typename From>
static void pack_rows(const PackArgs& a, const From* from) {
  const int64_t k = a.cin * a.taps;
  const int64_t width = a.geglu ? kLanes : kPanel;  // columns of one kind in a panel
  Operand* panel = static_cast<Operand*>(a.to) + a.first / width * padded(k) * kPanel;
  for (int64_t row = 0; row < a.rows; row += width, panel += padded(k) * kPanel)
    for (int64_t half = 0; half < 2; ++half) {
      const int64_t r = a.geglu ? row : row + half * kLanes;  // of its kind
      const From* first = from + (a.geglu ? half * a.rows + r : r) * k;
      const int64_t rows = most(0, least(kLanes, a.rows - r));
      if (a.cin % kDepthUnit == 0 && a.taps <= kMostTaps)
        pack_groups(first, rows, a.cin, a.taps, panel + half * kTileHalf);
      else
        pack_any(first, rows, a.cin, a.taps, panel + half * kTileHalf);
    }
}

void pack(const PackArgs& args) noexcept {
  with_type(args.type, args.from, [&](const auto* from) { pack_rows(args, from); });
  fence_stored();
}

float packed_at(const PackedMatrix& w, int64_t k, int64_t column) {
  const int64_t block = column / kPanel * (padded(w.k) / kDepthUnit) + k / kDepthUnit;
  const int64_t half = column % kPanel / kLanes, pair = k % kDepthUnit / 2;
  return widened(static_cast<const Operand*>(
      w.data)[(block * 2 + half) * kTileHalf + pair * kPanel + column % kLanes * 2 + k % 2]);
}

}  // namespace ipa::cpu::IPA_ISA
