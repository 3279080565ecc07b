// Weights into panels: element (k, n) at data[(n / kPanel * K + k) * kPanel + n % kPanel], k = tap * cin + c. For GEGLU
// a panel holds kLanes value columns and then their kLanes gate columns. Runs once at load, bound by memory: tiles of
// 16 numbers of kPanel rows are turned in L1 and leave as whole lines of the panel.
#include "cpu/kernels/kernels_of_level.h"
#include "cpu/kernels/widen.h"

namespace ipa::cpu::IPA_ISA {

int64_t geglu_column(int64_t n, int64_t columns) {
  const int64_t half = columns / 2;
  const int64_t gate = n >= half ? 1 : 0, c = n - gate * half;
  return c / kLanes * kPanel + gate * kLanes + c % kLanes;
}

size_t packed_bytes(int64_t k, int64_t n, DType type) {
  return static_cast<size_t>(ceil_div(n, kPanel) * kPanel * k) * dtype_size(type);
}

static constexpr int64_t kDepth = 16;  // numbers of a row in a tile: a line of the cache in f32

template <typename From>
static void take(const From* from, int64_t count, float* to) {
  for (int64_t i = 0; i < kDepth; i += kLanes) store(to + i, load_f32(from + i, most(count - i, 0)));
}

// kPanel numbers of one k.
template <typename To>
static void put(To* to, const float* line) {
  alignas(64) To numbers[kPanel];
  store_f32(numbers, load(line));
  store_f32(numbers + kLanes, load(line + kLanes));
  for (size_t i = 0; i < sizeof numbers; i += kBytes) {
    float* place = reinterpret_cast<float*>(reinterpret_cast<char*>(to) + i);
    const V part = load(reinterpret_cast<const float*>(reinterpret_cast<const char*>(numbers) + i));
    if constexpr (sizeof numbers % 64 == 0)
      store_past(place, part);
    else
      store(place, part);
  }
}

template <typename From, typename To>
static void pack_rows(const PackArgs& a, const From* from, To* to) {
  const int64_t k = a.cin * a.taps;
  const int64_t width = a.geglu ? kLanes : kPanel;  // columns of one kind in a panel
  to += a.first / width * k * kPanel;
  for (int64_t row = 0; row < a.rows; row += width, to += k * kPanel) {
    int64_t c = 0, tap = 0;
    for (int64_t i = 0; i < k; i += kDepth) {
      alignas(64) float rows[kPanel][kDepth], lines[kDepth][kPanel];
      for (int64_t column = 0; column < kPanel; ++column) {
        const int64_t kind = column / width, r = row + column % width;
        // Columns beyond the last row are zero.
        take(from + (kind * a.rows + r) * k + i, r < a.rows ? least(kDepth, k - i) : 0, rows[column]);
      }
      transpose(rows[0], kDepth, lines[0], kPanel, kPanel, kDepth);
      for (int64_t d = 0; d < least(kDepth, k - i); ++d) {
        put(to + (tap * a.cin + c) * kPanel, lines[d]);
        if (++tap == a.taps) tap = 0, ++c;
      }
    }
  }
}

void pack(const PackArgs& args) noexcept {
  if (args.stored == DType::f32)
    with_type(args.type, args.from, [&](const auto* from) { pack_rows(args, from, static_cast<float*>(args.to)); });
  else if (args.stored == args.type)
    pack_rows(args, static_cast<const Bits*>(args.from), static_cast<Bits*>(args.to));
  else if (args.stored == DType::f16)
    pack_rows(args, static_cast<const float*>(args.from), static_cast<F16*>(args.to));
  else
    pack_rows(args, static_cast<const float*>(args.from), static_cast<Bf16*>(args.to));
  fence_stored();
}

float packed_at(const PackedMatrix& w, int64_t k, int64_t column) {
  const int64_t at = (column / kPanel * w.k + k) * kPanel + column % kPanel;
  float number = 0;
  with_type(w.type, w.data, [&](const auto* numbers) { number = f32(numbers[at]); });
  return number;
}

}  // namespace ipa::cpu::IPA_ISA
