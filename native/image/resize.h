#pragma once
// Resizing that equals Pillow's to the bit: antialiased, horizontal then vertical, rounded to 8 bits after each pass,
// weights with 22 fraction bits.   source: Pillow Image.resize
#include "image/image.h"

namespace ipa {

enum class Filter { nearest, box, bilinear, bicubic, lanczos };

Image8 resize(const Image8& image, int width, int height, Filter filter);

// The part [x, x + width) x [y, y + height) of the image resized to `full_width` x `full_height`, without making the
// rest: a strip of 3 x 60,000 pixels covers a square only by a row of millions. What lies outside is black. Not for
// `nearest`.
struct ResizeWindow {
  int64_t full_width, full_height;
  int64_t x, y;
  int width, height;
};
Image8 resize_window(const Image8& image, const ResizeWindow& window, Filter filter);

// Fit inside width x height keeping the aspect, centre, fill the bars from the edge row or column.
Image8 resize_fill(const Image8& image, int width, int height,
                   Filter filter);  // source: diffusers VaeImageProcessor "fill"
// Cover width x height keeping the aspect and cut the centre.
Image8 resize_cover(const Image8& image, int width, int height,
                    Filter filter);  // source: diffusers VaeImageProcessor "crop"

}  // namespace ipa
