#include "image/color_match.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "image/inpaint.h"

namespace ipa {

namespace {

using Lab = std::array<double, 3>;

// source: IEC 61966-2-1 (sRGB), CIE 15 (L*a*b*), white D65
constexpr double kWhite[3] = {0.95047, 1.0, 1.08883};
constexpr double kToXyz[3][3] = {
    {0.4124564, 0.3575761, 0.1804375}, {0.2126729, 0.7151522, 0.0721750}, {0.0193339, 0.1191920, 0.9503041}};
constexpr double kFromXyz[3][3] = {
    {3.2404542, -1.5371385, -0.4985314}, {-0.9692660, 1.8760108, 0.0415560}, {0.0556434, -0.2040259, 1.0572252}};
constexpr double kEdge = 6.0 / 29;

double linear(double v) { return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4); }
double encoded(double v) { return v <= 0.0031308 ? v * 12.92 : 1.055 * std::pow(v, 1 / 2.4) - 0.055; }
double f(double t) { return t > kEdge * kEdge * kEdge ? std::cbrt(t) : t / (3 * kEdge * kEdge) + 4.0 / 29; }
double f_inverse(double t) { return t > kEdge ? t * t * t : 3 * kEdge * kEdge * (t - 4.0 / 29); }

Lab to_lab(const uint8_t* rgb) {
  double g[3];
  for (int i = 0; i < 3; ++i) {
    double sum = 0;
    for (int k = 0; k < 3; ++k) sum += kToXyz[i][k] * linear(rgb[k] / 255.0);
    g[i] = f(sum / kWhite[i]);
  }
  return {116 * g[1] - 16, 500 * (g[0] - g[1]), 200 * (g[1] - g[2])};
}

void to_rgb(const Lab& lab, uint8_t* rgb) {
  const double y = (lab[0] + 16) / 116;
  const double g[3] = {y + lab[1] / 500, y, y - lab[2] / 200};
  for (int i = 0; i < 3; ++i) {
    double sum = 0;
    for (int k = 0; k < 3; ++k) sum += kFromXyz[i][k] * f_inverse(g[k]) * kWhite[k];
    rgb[i] = static_cast<uint8_t>(std::lround(255 * std::clamp(encoded(std::max(0.0, sum)), 0.0, 1.0)));
  }
}

struct Spread {
  Lab mean{}, deviation{};
};

Spread spread_of(const Image8& image, const std::vector<size_t>& pixels) {
  Spread s;
  Lab squares{};
  for (const size_t i : pixels) {
    const Lab lab = to_lab(&image.data[3 * i]);
    for (size_t c = 0; c < 3; ++c) s.mean[c] += lab[c], squares[c] += lab[c] * lab[c];
  }
  const double count = static_cast<double>(pixels.size());
  for (size_t c = 0; c < 3; ++c) {
    s.mean[c] /= count;
    s.deviation[c] = std::sqrt(std::max(0.0, squares[c] / count - s.mean[c] * s.mean[c]));
  }
  return s;
}

// Pixels outside the mask that are at most `reach` away from it.
std::vector<size_t> ring_of(const Image8& mask, int reach) {
  Image8 inverse = mask;
  for (uint8_t& v : inverse.data) v = v == 0 ? 255 : 0;
  const Image8 edge = soft_mask(inverse, reach);
  std::vector<size_t> ring;
  for (size_t i = 0; i < edge.data.size(); ++i)
    if (edge.data[i] > 0 && edge.data[i] < 255) ring.push_back(i);
  return ring;
}

}  // namespace

Image8 match_colors(const Image8& painted, const Image8& original, const Image8& mask) {
  constexpr size_t kFewest = 64;  // pixels: of fewer, a spread says nothing
  const std::optional<Region> box = mask_box(mask);
  if (!box) return painted;
  const std::vector<size_t> ring = ring_of(mask, std::max(4, std::max(box->width(), box->height()) / 8));
  if (ring.size() < kFewest) return painted;
  const Spread from = spread_of(painted, ring), to = spread_of(original, ring);
  Lab factor;
  for (size_t c = 0; c < 3; ++c)
    factor[c] = from.deviation[c] < 0.5 ? 1 : std::clamp(to.deviation[c] / from.deviation[c], 0.5, 2.0);
  Image8 out = painted;
  for (size_t i = 0; i < mask.data.size(); ++i) {
    Lab lab = to_lab(&painted.data[3 * i]);
    for (size_t c = 0; c < 3; ++c) lab[c] = to.mean[c] + (lab[c] - from.mean[c]) * factor[c];
    to_rgb(lab, &out.data[3 * i]);
  }
  return out;
}

}  // namespace ipa
