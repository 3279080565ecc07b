// Convolutions over NHWC, every tap looked up; a nearest upsample may stand between x and the taps.
#include "cpu/naive/result.h"

namespace ipa::cpu::naive {
namespace {

// The pixel of x under a tap, null in the padding. [C]
const float* pixel(const ConvArgs& a, int64_t image, int64_t oy, int64_t ox, int ky, int kx) {
  const int64_t vy = oy * a.stride_h - a.pad_top + ky * a.dilation_h;
  const int64_t vx = ox * a.stride_w - a.pad_left + kx * a.dilation_w;
  if (vy < 0 || vx < 0 || vy >= a.virtual_h || vx >= a.virtual_w) return nullptr;
  const int64_t y = vy * a.h / a.virtual_h, x = vx * a.w / a.virtual_w;
  return a.x + ((image * a.h + y) * a.w + x) * a.c;
}

}  // namespace

size_t conv_scratch(const ConvArgs& a) noexcept { return column_scratch(a.weight.k); }

void conv(const Level& level, const ConvArgs& a, const Context& c) noexcept {
  const int64_t columns = result_columns(a.result, a.weight.n);
  for_each_column(level, a.weight, a.result, c, [&](int64_t n, const float* weight, const float* gate) {
    for (int64_t image = 0, row = 0; image < a.n; ++image)
      for (int64_t oy = 0; oy < a.out_h; ++oy)
        for (int64_t ox = 0; ox < a.out_w; ++ox, ++row) {
          double sum = 0, gate_sum = 0;
          for (int ky = 0; ky < a.kernel_h; ++ky)
            for (int kx = 0; kx < a.kernel_w; ++kx) {
              const float* from = pixel(a, image, oy, ox, ky, kx);
              if (!from) continue;
              const int64_t k = (ky * a.kernel_w + kx) * a.c;
              sum += dot(from, weight + k, a.c);
              if (gate) gate_sum += dot(from, gate + k, a.c);
            }
          store(a.result, row, image, n, columns, sum, gate_sum);
        }
  });
}

void grouped_conv(const ConvArgs& a, int groups, const Context& c) noexcept {
  const float* weight = static_cast<const float*>(a.weight.data);
  const int64_t columns = a.weight.n, wide = columns / groups, cin = a.c / groups;
  const int64_t taps = static_cast<int64_t>(a.kernel_h) * a.kernel_w;
  split_rows(c, a.n * a.out_h, a.out_w * columns * cin * taps / 4, [&](int64_t from, int64_t to) {
    for (int64_t line = from; line < to; ++line)
      for (int64_t ox = 0; ox < a.out_w; ++ox)
        for (int64_t n = 0; n < columns; ++n) {
          const int64_t first = n / wide * cin;  // channel of x where the group begins
          double sum = 0;
          for (int ky = 0; ky < a.kernel_h; ++ky)
            for (int kx = 0; kx < a.kernel_w; ++kx) {
              const float* x = pixel(a, line / a.out_h, line % a.out_h, ox, ky, kx);
              const float* w = weight + n * cin * taps + ky * a.kernel_w + kx;
              if (!x) continue;
              for (int64_t i = 0; i < cin; ++i) sum += static_cast<double>(x[first + i]) * w[i * taps];
            }
          store(a.result, line * a.out_w + ox, line / a.out_h, n, columns, sum, 0);
        }
  });
}

}  // namespace ipa::cpu::naive
