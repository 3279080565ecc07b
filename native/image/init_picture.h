#pragma once
// A picture on its way into a run and out of it again: scaled or cropped to what is drawn, and put back.
#include <optional>
#include <vector>

#include "image/inpaint.h"

namespace ipa {

struct InitPicture {
  Image8 image;
  std::optional<Image8> mask;  // grey, of any size: it is stretched over the picture
};

struct InitSize {
  int width, height, factor;   // of what is drawn; pixels per latent
  std::optional<int> padding;  // around the mask: only that part of the picture is drawn
};

struct PreparedInit {
  Image8 picture;                // of the size that is drawn
  std::optional<Region> region;  // of the original that it shows, where it is cropped
  std::vector<uint8_t> hidden;   // 1 where it is painted anew; empty without a mask
  std::vector<float> mask;       // the same of each latent
};

// `blurred`: what is painted anew is filled from around it first. OPTION_RANGE for a black mask with padding.
PreparedInit prepare(const InitPicture& init, const InitSize& size, bool blurred);

// What was painted, on the original: which has its own size with a region, else that of `painted`. `soft`: pixels
// inside the mask's edge over which it fades in.
struct FinishRule {
  std::optional<Region> region;
  int soft = 0;
  bool match_colors = false;
};
Image8 finish(const Image8& painted, const InitPicture& init, const FinishRule& rule);

}  // namespace ipa
