#pragma once
// Where in a picture an image prompt acts: a grey picture brought to the grids of a UNet's attentions.
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace ipa {

enum class MaskMode {
  linear,     // bilinear to the exact grid, greys kept
  diffusers,  // black and white, bicubic, on the grid that diffusers finds
  comfy,      // bilinear, greys kept, on the grid that ComfyUI_IPAdapter_plus finds
};
std::optional<MaskMode> mask_mode(std::string_view text);  // by the names above
inline constexpr std::string_view kMaskModes = "linear, diffusers or comfy";

struct RegionMask {
  int width = 0, height = 0;  // of any size: it is stretched over the picture
  std::vector<float> data;    // [height, width]; 1: full influence, 0: none
  MaskMode mode = MaskMode::linear;
};

// Refuses a mask without pixels, with another number of values than its sides say, or a value outside 0..1
// (OPTION_RANGE).
void check_mask(const RegionMask& mask);

// What `diffusers` resamples: sides are multiples of 8, values 0 or 1.   source: diffusers IPAdapterMaskProcessor
RegionMask black_and_white(const RegionMask& mask);

struct GridSize {
  int64_t height, width;
};

// [grid.height, grid.width]: factors of the tokens of one grid. Values of `diffusers` may leave 0..1 a little.
std::vector<float> mask_grid(const RegionMask& mask, GridSize latents, GridSize grid);

}  // namespace ipa
