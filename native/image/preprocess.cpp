#include "image/preprocess.h"

#include <algorithm>
#include <string>

#include "core/error.h"
#include "image/resize.h"
#include "image/sample.h"

namespace ipa {

namespace {

// Start of a window of `size` pixels on a side of `full` pixels; negative when the window is the longer one.
int64_t anchored(int64_t full, int size, bool at_start, bool at_end) {
  if (at_start) return 0;
  if (at_end) return full - size;
  return full >= size ? (full - size) / 2 : -((size - full) / 2);
}

// What of a picture of this size the encoder sees: the side that leads is `target` pixels long, the other follows in
// proportion (cut to whole pixels), and the square lies on it by its anchor.
ResizeWindow window(int width, int height, const ClipPreprocess& options) {
  const int size = options.size;
  if (options.fit == Fit::squash) return {size, size, 0, 0, size, size};
  const bool wide = width > height, width_leads = wide == (options.fit == Fit::pad);
  const int target = options.fit == Fit::pad ? size : options.shortest_edge;
  const int64_t lead = width_leads ? width : height, other = width_leads ? height : width;
  const int64_t follower = std::max<int64_t>(1, other * target / lead);
  const int64_t full_width = width_leads ? target : follower, full_height = width_leads ? follower : target;
  const Anchor anchor = options.anchor;
  const int64_t x = anchored(full_width, size, anchor == Anchor::left, anchor == Anchor::right);
  const int64_t y = anchored(full_height, size, anchor == Anchor::top, anchor == Anchor::bottom);
  return {full_width, full_height, x, y, size, size};
}

}  // namespace

PixelRule unit_pixels(std::array<float, 3> mean, std::array<float, 3> std) {
  PixelRule rule;
  for (size_t c = 0; c < 3; ++c) rule.subtract[c] = 255.0f * mean[c], rule.divide[c] = 255.0f * std[c];
  return rule;
}

std::vector<float> network_input(const Image8& image, const PixelRule& rule) {
  check_image(image);
  if (image.channels != 3)
    fail(Code::OPTION_RANGE, "network input: expected 3 channels, found " + std::to_string(image.channels),
         "pass an RGB image");
  std::vector<float> out(image.data.size());
  for (size_t i = 0; i < out.size(); i += 3)
    for (size_t c = 0; c < 3; ++c)
      out[i + c] = (static_cast<float>(image.data[i + (rule.bgr ? 2 - c : c)]) - rule.subtract[c]) / rule.divide[c];
  return out;
}

Image8 clip_square(const Image8& image, const ClipPreprocess& options) {
  check_image(image);
  check_size(options.size, options.shortest_edge);
  return resize_window(image, window(image.width, image.height, options), Filter::bicubic);
}

Image8 clip_mask(const Image8& mask, const Image8& image, const ClipPreprocess& options) {
  check_image(image);
  check_size(options.size, options.shortest_edge);
  return resize_window(mask, window(image.width, image.height, options), Filter::bicubic);
}

std::vector<float> clip_pixels(const Image8& image, const ClipPreprocess& options) {
  return network_input(clip_square(image, options), unit_pixels(options.mean, options.std));
}

std::vector<float> clip_pixels(const Image8& image, const ClipPreprocess& options, const Image8& mask) {
  std::vector<float> pixels = clip_pixels(image, options);
  const Image8 shares = clip_mask(mask, image, options);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] *= static_cast<float>(shares.data[i / 3]) / 255;
  return pixels;
}

Letterbox letterbox(const Image8& image, int width, int height) {
  check_image(image);
  check_size(width, height);
  const double aspect = static_cast<double>(image.height) / image.width;  // height over width, as the reference
  const bool by_height = aspect > static_cast<double>(height) / width;
  const int w = by_height ? std::max(1, static_cast<int>(height / aspect)) : width;
  const int h = by_height ? height : std::max(1, static_cast<int>(width * aspect));
  Letterbox box{Image8(width, height, image.channels), static_cast<double>(h) / image.height};
  paste(box.canvas, sample_linear(image, w, h), 0, 0);
  return box;
}

}  // namespace ipa
