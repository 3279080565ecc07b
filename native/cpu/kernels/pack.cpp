// Weights into panels: element (k, n) at data[(n / kPanel * K + k) * kPanel + n % kPanel], k = tap * cin + c. Runs once
// at load, bound by memory. For GEGLU a panel holds kLanes value columns and then their kLanes gate columns.
#include "cpu/kernels/kernels_of_level.h"

namespace ipa::cpu::IPA_ISA {

int64_t geglu_column(int64_t n, int64_t columns) {
  const int64_t half = columns / 2;
  const int64_t gate = n >= half ? 1 : 0, c = n - gate * half;
  return c / kLanes * kPanel + gate * kLanes + c % kLanes;
}

size_t packed_bytes(int64_t k, int64_t n) {
  return static_cast<size_t>(ceil_div(n, kPanel) * kPanel * k) * sizeof(float);
}

void pack(const float* from, int64_t n, int64_t cin, int64_t taps, bool geglu, void* to) {
  const int64_t k = cin * taps, panels = ceil_div(n, kPanel);
  const int64_t half = geglu ? n / 2 : n;         // rows of one kind
  const int64_t width = geglu ? kLanes : kPanel;  // columns of a panel of one kind
  const int64_t block = most(1, 256 / taps);      // input channels at a time: their lines of the panel stay in L1
  float* panel = static_cast<float*>(to);
  for (int64_t p = 0; p < panels; ++p, panel += k * kPanel) {
    if ((p + 1) * width > half)  // the last panel may be partly empty
      for (int64_t i = 0; i < k * kPanel; ++i) panel[i] = 0;
    for (int64_t first = 0; first < cin; first += block) {
      const int64_t end = least(cin, first + block);
      for (int64_t column = 0; column < kPanel; ++column) {
        const int64_t kind = column / width, row = p * width + column % width;
        if (row >= half) continue;
        const float* w = from + (kind * half + row) * k;
        for (int64_t c = first; c < end; ++c)
          for (int64_t tap = 0; tap < taps; ++tap) panel[(tap * cin + c) * kPanel + column] = w[c * taps + tap];
      }
    }
  }
}

float packed_at(const PackedMatrix& w, int64_t k, int64_t column) {
  return static_cast<const float*>(w.data)[(column / kPanel * w.k + k) * kPanel + column % kPanel];
}

}  // namespace ipa::cpu::IPA_ISA
