#include "image/resize.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace ipa {

namespace {

constexpr int kFractionBits = 22;  // 32 less 8 bits of pixel, less 2 for overshoot and sign
constexpr int32_t kHalf = 1 << (kFractionBits - 1);

struct Kernel {
  double support;  // pixels either side, at scale 1
  double (*weight)(double x);
};

double box_weight(double x) { return x > -0.5 && x <= 0.5 ? 1 : 0; }
double bilinear_weight(double x) { return std::max(0.0, 1 - std::abs(x)); }
double bicubic_weight(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}
double sinc(double x) {
  if (x == 0) return 1;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}
double lanczos_weight(double x) { return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0; }

Kernel kernel(Filter filter) {
  switch (filter) {
    case Filter::box:
      return {0.5, box_weight};
    case Filter::bilinear:
      return {1, bilinear_weight};
    case Filter::lanczos:
      return {3, lanczos_weight};
    default:
      return {2, bicubic_weight};
  }
}

// For each output position the window of input positions it reads and their fixed-point weights.
struct Axis {
  struct Window {
    int first, count;
  };
  std::vector<Window> windows;
  std::vector<int32_t> weights;  // [outputs, stride]
  size_t stride = 0;
  const int32_t* row(size_t i) const { return &weights[i * stride]; }
};

// The input axis from..to is stretched over `outputs` positions, of which first..first + count are wanted.
Axis axis(int inputs, double from, double to, int64_t outputs, int64_t first, int count, const Kernel& k) {
  const double scale = (to - from) / static_cast<double>(outputs);
  const double widened = std::max(1.0, scale);  // antialias: the kernel grows when shrinking
  const double support = k.support * widened;
  Axis a;
  a.stride = static_cast<size_t>(std::ceil(support)) * 2 + 1;
  a.weights.resize(a.stride * static_cast<size_t>(count));
  std::vector<double> w(a.stride);
  for (int i = 0; i < count; ++i) {
    const double centre = from + (static_cast<double>(first + i) + 0.5) * scale;
    const int begin = std::max(0, static_cast<int>(centre - support + 0.5));
    const int taps = std::min(inputs, static_cast<int>(centre + support + 0.5)) - begin;
    double sum = 0;
    for (int x = 0; x < taps; ++x) sum += w[static_cast<size_t>(x)] = k.weight((x + begin - centre + 0.5) / widened);
    int32_t* out = &a.weights[static_cast<size_t>(i) * a.stride];
    for (int x = 0; x < taps; ++x) {
      const double v = (sum != 0 ? w[static_cast<size_t>(x)] / sum : w[static_cast<size_t>(x)]) * (1 << kFractionBits);
      out[x] = static_cast<int32_t>(v < 0 ? v - 0.5 : v + 0.5);
    }
    a.windows.push_back({begin, taps});
  }
  return a;
}

// A strip of no width at position `at`, stretched.
Axis strip(int inputs, double at, int outputs, const Kernel& k) { return axis(inputs, at, at, outputs, 0, outputs, k); }

uint8_t pixel(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kFractionBits, 0, 255)); }

// The rows first_row .. first_row + rows only.
Image8 horizontal_pass(const Image8& in, const Axis& a, int first_row, int rows) {
  Image8 out(static_cast<int>(a.windows.size()), rows, in.channels);
  const size_t c = static_cast<size_t>(in.channels);
  for (int y = 0; y < rows; ++y) {
    uint8_t* to = out.row(y);
    for (size_t i = 0; i < a.windows.size(); ++i) {
      const uint8_t* from = in.row(first_row + y) + static_cast<size_t>(a.windows[i].first) * c;
      const int32_t* w = a.row(i);
      for (size_t channel = 0; channel < c; ++channel) {
        int32_t sum = kHalf;
        for (size_t x = 0; x < static_cast<size_t>(a.windows[i].count); ++x) sum += w[x] * from[x * c + channel];
        *to++ = pixel(sum);
      }
    }
  }
  return out;
}

Image8 vertical_pass(const Image8& in, const Axis& a) {
  Image8 out(in.width, static_cast<int>(a.windows.size()), in.channels);
  std::vector<int32_t> sums(in.row_bytes());
  for (size_t i = 0; i < a.windows.size(); ++i) {
    std::fill(sums.begin(), sums.end(), kHalf);
    for (int y = 0; y < a.windows[i].count; ++y) {
      const uint8_t* from = in.row(a.windows[i].first + y);
      const int32_t w = a.row(i)[y];
      for (size_t x = 0; x < sums.size(); ++x) sums[x] += w * from[x];
    }
    std::transform(sums.begin(), sums.end(), out.row(static_cast<int>(i)), pixel);
  }
  return out;
}

Image8 resize_nearest(const Image8& in, int width, int height) {
  // trap: positions are summed, not multiplied, as in the reference; the last bits decide ties.
  const auto sources = [](int inputs, int outputs) {
    const double step = static_cast<double>(inputs) / outputs;
    std::vector<int> v;
    double at = step * 0.5;
    for (int i = 0; i < outputs; ++i, at += step) v.push_back(std::min(static_cast<int>(at), inputs - 1));
    return v;
  };
  const std::vector<int> xs = sources(in.width, width), ys = sources(in.height, height);
  Image8 out(width, height, in.channels);
  uint8_t* to = out.data.data();
  for (int y : ys)
    for (int x : xs)
      to = std::copy_n(in.row(y) + static_cast<size_t>(x) * static_cast<size_t>(in.channels), in.channels, to);
  return out;
}

// The side that follows `other` when `other` becomes `target`, cut to whole pixels; one pixel is the least.
int64_t kept_aspect(int side, int target, int other) {
  return std::max<int64_t>(1, static_cast<int64_t>(side) * target / other);
}

// width : height of the target against that of the image, without rounding.
bool target_is_wider(const Image8& image, int width, int height) {
  return static_cast<int64_t>(width) * image.height > static_cast<int64_t>(image.width) * height;
}

}  // namespace

Image8 resize_window(const Image8& image, const ResizeWindow& w, Filter filter) {
  check_image(image);
  check_size(w.width, w.height);
  const int64_t x0 = std::max<int64_t>(0, w.x), x1 = std::min(w.full_width, w.x + w.width);
  const int64_t y0 = std::max<int64_t>(0, w.y), y1 = std::min(w.full_height, w.y + w.height);
  Image8 out(w.width, w.height, image.channels);
  if (x0 >= x1 || y0 >= y1) return out;
  const Kernel k = kernel(filter);
  const Axis columns = axis(image.width, 0, image.width, w.full_width, x0, static_cast<int>(x1 - x0), k);
  Axis rows = axis(image.height, 0, image.height, w.full_height, y0, static_cast<int>(y1 - y0), k);
  const int first_row = rows.windows.front().first, last_row = rows.windows.back().first + rows.windows.back().count;
  for (Axis::Window& window : rows.windows) window.first -= first_row;
  paste(out, vertical_pass(horizontal_pass(image, columns, first_row, last_row - first_row), rows),
        static_cast<int>(x0 - w.x), static_cast<int>(y0 - w.y));
  return out;
}

Image8 resize(const Image8& image, int width, int height, Filter filter) {
  check_image(image);
  check_size(width, height);
  if (filter == Filter::nearest) return resize_nearest(image, width, height);
  const Kernel k = kernel(filter);
  Image8 out = image;
  if (width != image.width)
    out = horizontal_pass(out, axis(image.width, 0, image.width, width, 0, width, k), 0, image.height);
  if (height != image.height) out = vertical_pass(out, axis(image.height, 0, image.height, height, 0, height, k));
  return out;
}

Image8 resize_cover(const Image8& image, int width, int height, Filter filter) {
  check_image(image);
  check_size(width, height);
  const bool wider = target_is_wider(image, width, height);
  const int64_t full_width = wider ? width : kept_aspect(image.width, height, image.height);
  const int64_t full_height = wider ? kept_aspect(image.height, width, image.width) : height;
  return resize_window(
      image, {full_width, full_height, full_width / 2 - width / 2, full_height / 2 - height / 2, width, height},
      filter);
}

Image8 resize_fill(const Image8& image, int width, int height, Filter filter) {
  check_image(image);
  check_size(width, height);
  const bool wider = target_is_wider(image, width, height);
  const Image8 inside =
      resize(image, wider ? static_cast<int>(kept_aspect(image.width, height, image.height)) : width,
             wider ? height : static_cast<int>(kept_aspect(image.height, width, image.width)), filter);
  Image8 out(width, height, image.channels);
  const int left = width / 2 - inside.width / 2, right = width - left - inside.width;
  const int top = height / 2 - inside.height / 2, bottom = height - top - inside.height;
  paste(out, inside, left, top);
  // trap: the bars are not the edge pixels but the bicubic resize of a strip of no width at the edge, which mixes in
  // the second pixel: 1.125 * edge - 0.125 * next.
  const Kernel k = kernel(Filter::bicubic);
  const int w = inside.width, h = inside.height;
  if (left > 0) paste(out, horizontal_pass(inside, strip(w, 0, left, k), 0, h), 0, 0);
  if (right > 0) paste(out, horizontal_pass(inside, strip(w, w, right, k), 0, h), left + w, 0);
  if (top > 0) paste(out, vertical_pass(inside, strip(h, 0, top, k)), 0, 0);
  if (bottom > 0) paste(out, vertical_pass(inside, strip(h, h, bottom, k)), 0, top + h);
  return out;
}

}  // namespace ipa
