#pragma once
// A picture in memory. Files are decoded and written elsewhere.
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ipa {

struct Image8 {
  int width = 0, height = 0, channels = 0;  // 3 = R, G, B; 1 = grey
  std::vector<uint8_t> data;                // [height, width, channels]

  Image8() = default;
  Image8(int width, int height, int channels)  // black
      : width(width),
        height(height),
        channels(channels),
        data(static_cast<size_t>(width) * static_cast<size_t>(height) * static_cast<size_t>(channels)) {}

  size_t row_bytes() const { return static_cast<size_t>(width) * static_cast<size_t>(channels); }
  const uint8_t* row(int y) const { return data.data() + static_cast<size_t>(y) * row_bytes(); }
  uint8_t* row(int y) { return data.data() + static_cast<size_t>(y) * row_bytes(); }
  bool operator==(const Image8&) const = default;
};

// Refuses an image without pixels or whose buffer has another size, and a target without pixels (OPTION_RANGE).
void check_image(const Image8& image);
void check_size(int width, int height);

// The window [x, x + width) x [y, y + height); what lies outside the image is black.
Image8 crop(const Image8& image, int x, int y, int width, int height);

// Copies `image` onto `canvas` with its corner at (x, y); what falls outside is cut.
void paste(Image8& canvas, const Image8& image, int x, int y);

Image8 grey(const Image8& image);  // [H, W, 3] to [H, W, 1].   source: Pillow convert("L"), ITU-R 601

}  // namespace ipa
