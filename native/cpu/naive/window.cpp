// Ops over H and W whose result has another size: nearest upsample, pooling, ONNX Resize.
#include <algorithm>
#include <cmath>
#include <limits>

#include "cpu/naive/naive.h"
#include "cpu/split.h"

namespace ipa::cpu::naive {

void upsample(Tensor x, int64_t h, int64_t w, float* y, const Context& c) noexcept {
  const Shape& s = x.shape;
  split_rows(c, s.n * h, w * s.c, [&](int64_t from, int64_t to) {
    for (int64_t line = from; line < to; ++line) {
      const float* in = x.data + (line / h * s.h + line % h * s.h / h) * s.w * s.c;
      for (int64_t ox = 0; ox < w; ++ox) std::copy_n(in + ox * s.w / w * s.c, s.c, y + (line * w + ox) * s.c);
    }
  });
}

void pool(const Pool& op, Tensor x, float* y, const Context& c) noexcept {
  const Shape& s = x.shape;
  split_rows(c, s.n * op.out_h, op.out_w * s.c * op.kernel_h * op.kernel_w, [&](int64_t from, int64_t to) {
    for (int64_t line = from; line < to; ++line) {
      const int64_t top = line % op.out_h * op.stride_h - op.pad_top;
      const int64_t y0 = std::max<int64_t>(top, 0), y1 = std::min(top + op.kernel_h, s.h);
      for (int64_t ox = 0; ox < op.out_w; ++ox) {
        const int64_t left = ox * op.stride_w - op.pad_left;
        const int64_t x0 = std::max<int64_t>(left, 0), x1 = std::min(left + op.kernel_w, s.w);
        // Padding that counts ends where the padding does: what ceil mode adds beyond it never counts.
        const int64_t counted = op.include_pad ? (std::min(top + op.kernel_h, s.h + op.pad_bottom) - top) *
                                                     (std::min(left + op.kernel_w, s.w + op.pad_right) - left)
                                               : std::max<int64_t>((y1 - y0) * (x1 - x0), 1);
        for (int64_t ch = 0; ch < s.c; ++ch) {
          double sum = 0;
          float highest = -std::numeric_limits<float>::infinity();
          for (int64_t iy = y0; iy < y1; ++iy)
            for (int64_t ix = x0; ix < x1; ++ix) {
              const float v = x.data[((line / op.out_h * s.h + iy) * s.w + ix) * s.c + ch];
              sum += v;
              if (v > highest || std::isnan(v)) highest = v;
            }
          y[(line * op.out_w + ox) * s.c + ch] =
              op.maximum ? highest : static_cast<float>(sum / static_cast<double>(counted));
        }
      }
    }
  });
}

namespace {

// Where output place `o` lies in an input of `in` elements.   source: ONNX Resize, coordinate_transformation_mode
float source_place(ResizeCoordinates mode, int64_t o, int64_t in, int64_t out, float scale) {
  const float at = static_cast<float>(o);
  switch (mode) {
    case ResizeCoordinates::half_pixel:
      return (at + 0.5f) / scale - 0.5f;
    case ResizeCoordinates::pytorch_half_pixel:
      return out > 1 ? (at + 0.5f) / scale - 0.5f : 0;
    case ResizeCoordinates::asymmetric:
      return at / scale;
    case ResizeCoordinates::align_corners:
      return out > 1 ? at * static_cast<float>(in - 1) / static_cast<float>(out - 1) : 0;
  }
  return at;
}

float rounded(ResizeRounding mode, float place) {
  switch (mode) {
    case ResizeRounding::round_prefer_floor:
      return std::ceil(place - 0.5f);
    case ResizeRounding::round_prefer_ceil:
      return std::floor(place + 0.5f);
    case ResizeRounding::floor:
      return std::floor(place);
    case ResizeRounding::ceil:
      return std::ceil(place);
  }
  return place;
}

// The two neighbours and the share of the second; nearest has one neighbour.
struct Between {
  int64_t first, second;
  float share;
};

Between between(const Resize& op, int64_t o, int64_t in, int64_t out, float scale) {
  const float place = source_place(op.coordinates, o, in, out, scale), end = static_cast<float>(in - 1);
  if (op.mode == ResizeMode::nearest) {
    const int64_t i = static_cast<int64_t>(std::clamp(rounded(op.rounding, place), 0.0f, end));
    return {i, i, 0};
  }
  const float inside = std::clamp(place, 0.0f, end);
  const int64_t first = static_cast<int64_t>(inside);
  return {first, std::min(first + 1, in - 1), inside - static_cast<float>(first)};
}

}  // namespace

void resize(const Resize& op, Tensor x, float* y, const Context& c) noexcept {
  const Shape& s = x.shape;
  split_rows(c, s.n * op.h, op.w * s.c * 4, [&](int64_t from, int64_t to) {
    for (int64_t line = from; line < to; ++line) {
      const Between v = between(op, line % op.h, s.h, op.h, op.scale_h);
      const float* top = x.data + (line / op.h * s.h + v.first) * s.w * s.c;
      const float* bottom = x.data + (line / op.h * s.h + v.second) * s.w * s.c;
      for (int64_t ox = 0; ox < op.w; ++ox) {
        const Between u = between(op, ox, s.w, op.w, op.scale_w);
        const auto mixed = [&](const float* row, int64_t ch) {
          const float first = row[u.first * s.c + ch];
          return u.share == 0 ? first : first * (1 - u.share) + row[u.second * s.c + ch] * u.share;
        };
        for (int64_t ch = 0; ch < s.c; ++ch) {
          const float upper = mixed(top, ch);
          y[(line * op.w + ox) * s.c + ch] = v.share == 0 ? upper : upper * (1 - v.share) + mixed(bottom, ch) * v.share;
        }
      }
    }
  });
}

}  // namespace ipa::cpu::naive
