#include "image/inpaint.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "image/resize.h"

namespace ipa {

namespace {

constexpr double kEdge = 0.1;  // of an ellipse's radius: half of the ramp's width
const float kDiagonal = std::sqrt(2.0f);

void check_same(const Image8& a, const Image8& b, const char* what) {
  check_image(a);
  check_image(b);
  if (a.width == b.width && a.height == b.height) return;
  fail(Code::OPTION_RANGE,
       std::string(what) + ": expected " + std::to_string(a.width) + " x " + std::to_string(a.height) + ", found " +
           std::to_string(b.width) + " x " + std::to_string(b.height),
       "give pictures of one size");
}

// Moves [first, last) to a length of `wanted` at most `full`: the growth is shared by both sides, and what has no room
// on one goes to the other.
void grow(int& first, int& last, int wanted, int full) {
  const int more = wanted - (last - first);
  if (more <= 0) return;
  first -= more / 2;
  last += more - more / 2;
  if (last >= full) {
    const int over = last - full;
    last -= over;
    first -= over;
  }
  if (first < 0) {
    last -= first;
    first = 0;
  }
  last = std::min(last, full);
}

// Pixels to the nearest one where the mask is 0, about: steps of 1 and sqrt 2. source: Borgefors 1986, chamfer
// distances
std::vector<float> distance_inside(const Image8& mask) {
  const int w = mask.width, h = mask.height;
  std::vector<float> d(mask.data.size());
  for (size_t i = 0; i < d.size(); ++i) d[i] = mask.data[i] == 0 ? 0 : std::numeric_limits<float>::max() / 2;
  const auto reach = [&](int x, int y, int dx, int dy, float step) {
    if (x + dx < 0 || x + dx >= w || y + dy < 0 || y + dy >= h) return;
    float& here = d[static_cast<size_t>(y * w + x)];
    here = std::min(here, d[static_cast<size_t>((y + dy) * w + x + dx)] + step);
  };
  for (int y = 0; y < h; ++y)
    for (int x = 0; x < w; ++x)
      reach(x, y, -1, 0, 1), reach(x, y, 0, -1, 1), reach(x, y, -1, -1, kDiagonal), reach(x, y, 1, -1, kDiagonal);
  for (int y = h - 1; y >= 0; --y)
    for (int x = w - 1; x >= 0; --x)
      reach(x, y, 1, 0, 1), reach(x, y, 0, 1, 1), reach(x, y, 1, 1, kDiagonal), reach(x, y, -1, 1, kDiagonal);
  return d;
}

// Colours with how much each is known, for fill_blurred: r, g, b times weight, weight.
struct Level {
  int width, height;
  std::vector<float> sums;

  Level(int w, int h) : width(w), height(h), sums(static_cast<size_t>(w) * static_cast<size_t>(h) * 4) {}
  float* at(int x, int y) { return &sums[static_cast<size_t>(y * width + x) * 4]; }
  const float* at(int x, int y) const {
    return &sums[static_cast<size_t>(std::clamp(y, 0, height - 1) * width + std::clamp(x, 0, width - 1)) * 4];
  }
};

Level halved(const Level& fine) {
  Level coarse((fine.width + 1) / 2, (fine.height + 1) / 2);
  for (int y = 0; y < fine.height; ++y)
    for (int x = 0; x < fine.width; ++x)
      for (int c = 0; c < 4; ++c) coarse.at(x / 2, y / 2)[c] += fine.at(x, y)[c];
  return coarse;
}

// What a level does not know comes from the coarser one, between its pixels.
void fill_from(const Level& coarse, Level& fine) {
  for (int y = 0; y < fine.height; ++y)
    for (int x = 0; x < fine.width; ++x) {
      float* to = fine.at(x, y);
      if (to[3] > 0) continue;
      const int near_x = x / 2, near_y = y / 2;
      const int far_x = x % 2 ? near_x + 1 : near_x - 1, far_y = y % 2 ? near_y + 1 : near_y - 1;
      const auto add = [&](int cx, int cy, float share) {
        const float* from = coarse.at(cx, cy);
        for (int c = 0; c < 4; ++c) to[c] += share * from[c] / from[3];  // every weight above is positive by now
      };
      add(near_x, near_y, 9.0f / 16), add(far_x, near_y, 3.0f / 16), add(near_x, far_y, 3.0f / 16);
      add(far_x, far_y, 1.0f / 16);
    }
}

}  // namespace

std::vector<uint8_t> binary_mask(const Image8& mask, int width, int height) {
  Image8 sized = resize(grey(mask), width, height, Filter::lanczos);
  for (uint8_t& v : sized.data) v = v >= 128 ? 1 : 0;
  return std::move(sized.data);
}

std::vector<float> latent_mask(const std::vector<uint8_t>& binary, int width, int height, int factor) {
  std::vector<float> out;
  for (int y = 0; y + factor <= height; y += factor)
    for (int x = 0; x + factor <= width; x += factor) out.push_back(binary[static_cast<size_t>(y * width + x)]);
  return out;
}

std::optional<Region> mask_box(const Image8& mask) {
  Region box{mask.width, mask.height, 0, 0};
  for (int y = 0; y < mask.height; ++y)
    for (int x = 0; x < mask.width; ++x)
      if (mask.row(y)[x] != 0) {
        box.left = std::min(box.left, x), box.right = std::max(box.right, x + 1);
        box.top = std::min(box.top, y), box.bottom = y + 1;
      }
  if (box.right == 0) return std::nullopt;
  return box;
}

Region crop_region(const Region& box, int padding, int picture_width, int picture_height, int width, int height) {
  Region r{std::max(0, box.left - padding), std::max(0, box.top - padding),
           std::min(picture_width, box.right + padding), std::min(picture_height, box.bottom + padding)};
  const double across = r.width(), down = r.height();
  if (across / down > static_cast<double>(width) / height)
    grow(r.top, r.bottom, static_cast<int>(across / (static_cast<double>(width) / height)), picture_height);
  else
    grow(r.left, r.right, static_cast<int>(down * (static_cast<double>(width) / height)), picture_width);
  return r;
}

Image8 ellipse_mask(int width, int height, const Ellipse& e) {
  check_size(width, height);
  Image8 out(width, height, 1);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const double radius = std::hypot((x + 0.5 - e.x) / e.across, (y + 0.5 - e.y) / e.down);
      out.row(y)[x] = static_cast<uint8_t>(std::lround(255 * std::clamp((1 + kEdge - radius) / (2 * kEdge), 0.0, 1.0)));
    }
  return out;
}

Image8 soft_mask(const Image8& mask, int soft) {
  check_image(mask);
  if (soft == 0) return mask;
  const std::vector<float> inside = distance_inside(mask);
  Image8 out = mask;
  for (size_t i = 0; i < inside.size(); ++i) {
    const float share = std::min(1.0f, inside[i] / static_cast<float>(soft + 1));
    out.data[i] = static_cast<uint8_t>(std::lround(share * static_cast<float>(mask.data[i])));
  }
  return out;
}

Image8 composite(const Image8& original, const Image8& painted, const Image8& share) {
  check_same(original, painted, "painted");
  check_same(original, share, "mask");
  Image8 out = original;
  const size_t channels = static_cast<size_t>(original.channels);
  for (size_t i = 0; i < out.data.size(); ++i) {
    const int of = share.data[i / channels], from = original.data[i], to = painted.data[i];
    out.data[i] = static_cast<uint8_t>((from * (255 - of) + to * of + 127) / 255);
  }
  return out;
}

Image8 fill_blurred(const Image8& image, const std::vector<uint8_t>& hidden) {
  check_image(image);
  std::vector<Level> levels = {Level(image.width, image.height)};
  for (size_t i = 0; i < hidden.size(); ++i)
    if (hidden[i] == 0) {
      for (size_t c = 0; c < 3; ++c) levels[0].sums[4 * i + c] = image.data[3 * i + c];
      levels[0].sums[4 * i + 3] = 1;
    }
  while (levels.back().width > 1 || levels.back().height > 1) levels.push_back(halved(levels.back()));
  if (levels.back().at(0, 0)[3] == 0) return Image8(image.width, image.height, 3);  // nothing is known: black
  for (size_t k = levels.size() - 1; k > 0; --k) fill_from(levels[k], levels[k - 1]);
  Image8 out = image;
  for (size_t i = 0; i < hidden.size(); ++i)
    if (hidden[i] != 0)
      for (size_t c = 0; c < 3; ++c)
        out.data[3 * i + c] = static_cast<uint8_t>(std::lround(levels[0].sums[4 * i + c] / levels[0].sums[4 * i + 3]));
  return out;
}

}  // namespace ipa
