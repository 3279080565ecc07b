#include "image/image.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "core/error.h"

namespace ipa {

void check_size(int width, int height) {
  if (width > 0 && height > 0) return;
  fail(Code::OPTION_RANGE,
       "expected an image size of at least 1 x 1, found " + std::to_string(width) + " x " + std::to_string(height),
       "give a positive width and height");
}

void check_image(const Image8& image) {
  check_size(image.width, image.height);
  const size_t expected = static_cast<size_t>(image.height) * image.row_bytes();
  if (image.channels > 0 && image.data.size() == expected) return;
  fail(Code::OPTION_RANGE,
       "an image of " + std::to_string(image.width) + " x " + std::to_string(image.height) + " with " +
           std::to_string(image.channels) + " channels expects " + std::to_string(expected) + " bytes, found " +
           std::to_string(image.data.size()),
       "pass interleaved 8-bit rows without padding");
}

void paste(Image8& canvas, const Image8& image, int x, int y) {
  const int first = std::max(0, -x), last = std::min(image.width, canvas.width - x);  // columns of `image`
  if (first >= last) return;
  const size_t c = static_cast<size_t>(image.channels);
  for (int row = std::max(0, -y); row < std::min(image.height, canvas.height - y); ++row)
    std::memcpy(canvas.row(y + row) + static_cast<size_t>(x + first) * c,
                image.row(row) + static_cast<size_t>(first) * c, static_cast<size_t>(last - first) * c);
}

Image8 crop(const Image8& image, int x, int y, int width, int height) {
  check_image(image);
  check_size(width, height);
  Image8 out(width, height, image.channels);
  paste(out, image, -x, -y);
  return out;
}

Image8 grey(const Image8& image) {
  check_image(image);
  if (image.channels == 1) return image;
  if (image.channels != 3)
    fail(Code::OPTION_RANGE, "grey: expected 3 channels, found " + std::to_string(image.channels), "pass an RGB image");
  Image8 out(image.width, image.height, 1);
  for (size_t i = 0; i < out.data.size(); ++i) {  // 16-bit fractions of 0.299, 0.587, 0.114
    const uint8_t* p = &image.data[3 * i];
    out.data[i] = static_cast<uint8_t>((p[0] * 19595u + p[1] * 38470u + p[2] * 7471u + 0x8000u) >> 16);
  }
  return out;
}

}  // namespace ipa
