#include "image/canny.h"

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace ipa {

namespace {

struct Gradient {
  int dx, dy;
  int size() const { return std::abs(dx) + std::abs(dy); }
};

std::vector<Gradient> sobel(const Image8& image) {
  const int w = image.width, h = image.height;
  std::vector<Gradient> all(image.data.size());
  for (int y = 0; y < h; ++y) {
    const uint8_t* rows[] = {image.row(std::max(y - 1, 0)), image.row(y), image.row(std::min(y + 1, h - 1))};
    for (int x = 0; x < w; ++x) {
      const int l = std::max(x - 1, 0), r = std::min(x + 1, w - 1);
      all[static_cast<size_t>(y) * static_cast<size_t>(w) + static_cast<size_t>(x)] = {
          rows[0][r] - rows[0][l] + 2 * (rows[1][r] - rows[1][l]) + rows[2][r] - rows[2][l],
          rows[2][l] - rows[0][l] + 2 * (rows[2][x] - rows[0][x]) + rows[2][r] - rows[0][r]};
    }
  }
  return all;
}

// A step to the neighbour across the edge: along the gradient, in eighths of a turn.
struct Step {
  int x, y;
};
Step across(const Gradient& g) {
  constexpr double kTan = 0.41421356237309503;  // of 22.5 degrees
  const int ax = std::abs(g.dx), ay = std::abs(g.dy);
  if (ay < kTan * ax) return {1, 0};
  if (ax < kTan * ay) return {0, 1};
  return {1, (g.dx < 0) == (g.dy < 0) ? 1 : -1};
}

}  // namespace

Image8 canny(const Image8& image, int low, int high) {
  const Image8 source = image.channels == 1 ? image : grey(image);
  const int w = source.width, h = source.height;
  const std::vector<Gradient> gradients = sobel(source);
  const auto at = [&](int x, int y) {
    return static_cast<size_t>(y) * static_cast<size_t>(w) + static_cast<size_t>(x);
  };
  const auto size = [&](int x, int y) { return x < 0 || y < 0 || x >= w || y >= h ? 0 : gradients[at(x, y)].size(); };
  std::vector<uint8_t> thin(gradients.size());
  std::vector<Step> edges;  // places whose neighbours are to be looked at
  Image8 out(w, h, 3);
  const auto mark = [&](int x, int y) {
    std::fill_n(out.data.begin() + static_cast<std::ptrdiff_t>(3 * at(x, y)), 3, uint8_t{255});
    edges.push_back({x, y});
  };
  for (int y = 0; y < h; ++y)
    for (int x = 0; x < w; ++x) {
      const int own = size(x, y);
      if (own <= low) continue;
      const Step step = across(gradients[at(x, y)]);
      // of two equal neighbours one remains
      if (own <= size(x - step.x, y - step.y) || own < size(x + step.x, y + step.y)) continue;
      thin[at(x, y)] = 1;
      if (own > high) mark(x, y);
    }
  while (!edges.empty()) {
    const Step edge = edges.back();
    edges.pop_back();
    for (int y = std::max(edge.y - 1, 0); y <= std::min(edge.y + 1, h - 1); ++y)
      for (int x = std::max(edge.x - 1, 0); x <= std::min(edge.x + 1, w - 1); ++x)
        if (thin[at(x, y)] && out.data[3 * at(x, y)] == 0) mark(x, y);
  }
  return out;
}

}  // namespace ipa
