#pragma once
// Where a picture is painted anew. Masks are grey pictures, 255 where it is.
#include <optional>
#include <vector>

#include "image/image.h"

namespace ipa {

struct Region {
  int left = 0, top = 0, right = 0, bottom = 0;  // pixels; right and bottom are outside

  int width() const { return right - left; }
  int height() const { return bottom - top; }
  bool operator==(const Region&) const = default;
};

// Grey, Lanczos to the size, then 1 from the middle grey up, 0 below: [height * width].
// source: diffusers VaeImageProcessor with do_binarize
std::vector<uint8_t> binary_mask(const Image8& mask, int width, int height);
// The nearest value for each latent: [height / factor * (width / factor)], 0 or 1.
std::vector<float> latent_mask(const std::vector<uint8_t>& binary, int width, int height, int factor);

// Box of the pixels that are not 0; none where all are.
std::optional<Region> mask_box(const Image8& mask);
// The box with `padding` on each side, then grown to the aspect of width x height as far as the picture goes.
// source: diffusers VaeImageProcessor.get_crop_region; `picture` is the mask's size
Region crop_region(const Region& box, int padding, int picture_width, int picture_height, int width, int height);

struct Ellipse {
  double x = 0, y = 0, across = 0, down = 0;  // centre and half axes, pixels
};
// White within, black outside, half on the ellipse itself: a ramp from 0.9 to 1.1 of the way.
Image8 ellipse_mask(int width, int height, const Ellipse& ellipse);

// How much of each pixel is taken from what was painted: the mask, and within `soft` pixels of its edge less. Nothing
// where the mask is 0; the picture's own border is no edge.
Image8 soft_mask(const Image8& mask, int soft);
// original + (painted - original) * share / 255; where share is 0, the original's bytes.
Image8 composite(const Image8& original, const Image8& painted, const Image8& share);

// What the mask hides, filled with the colours around it, the smoother the further in.
Image8 fill_blurred(const Image8& image, const std::vector<uint8_t>& hidden);

}  // namespace ipa
