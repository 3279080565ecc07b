#pragma once
// Pixels to network inputs. All results are f32 in NHWC order, one picture: [H, W, 3].
#include <array>
#include <vector>

#include "image/image.h"

namespace ipa {

// value = (pixel - subtract) / divide with pixels 0..255; channels R, G, B, or B, G, R when `bgr`.
struct PixelRule {
  std::array<float, 3> subtract, divide;  // in the order of the network's channels
  bool bgr = false;
};

inline constexpr PixelRule kDetectorPixels{{127.5f, 127.5f, 127.5f}, {128.0f, 128.0f, 128.0f}};
inline constexpr PixelRule kRecogniserPixels{{127.5f, 127.5f, 127.5f}, {127.5f, 127.5f, 127.5f}};
inline constexpr PixelRule kRawPixels{{0, 0, 0}, {1, 1, 1}};  // graphs that normalise inside
inline constexpr PixelRule kYunetPixels{{0, 0, 0}, {1, 1, 1}, true};
PixelRule unit_pixels(std::array<float, 3> mean, std::array<float, 3> std);  // mean and std of pixels scaled to 0..1

std::vector<float> network_input(const Image8& image, const PixelRule& rule);  // [H, W, 3]

// How a picture becomes the encoder's square.
enum class Fit { crop, squash, pad };                    // pad: black bars
enum class Anchor { center, top, bottom, left, right };  // what is kept by crop, where the picture lies in pad

struct ClipPreprocess {
  int shortest_edge = 224;  // crop: the shorter side after resizing, pixels
  int size = 224;           // side of the square, pixels
  std::array<float, 3> mean{0.48145466f, 0.4578275f, 0.40821073f};
  std::array<float, 3> std{0.26862954f, 0.26130258f, 0.27577711f};
  Fit fit = Fit::crop;
  Anchor anchor = Anchor::center;
};

// The encoder's square before normalising: Pillow bicubic.   source: transformers CLIPImageProcessor
Image8 clip_square(const Image8& image, const ClipPreprocess& options);              // [size, size, 3] u8
std::vector<float> clip_pixels(const Image8& image, const ClipPreprocess& options);  // [size, size, 3] f32

// A grey picture of any size, stretched over the image and seen through the same square: [size, size, 1] u8, 0 outside.
Image8 clip_mask(const Image8& mask, const Image8& image, const ClipPreprocess& options);
// The normalised pixels times the mask: what it leaves out becomes the mean colour, a mid-grey, not black.
// source: ComfyUI_IPAdapter_plus, clipvision mask
std::vector<float> clip_pixels(const Image8& image, const ClipPreprocess& options, const Image8& mask);

// The picture in the top-left corner of a black detection canvas.   source: insightface SCRFD.detect
struct Letterbox {
  Image8 canvas;
  double scale;  // canvas pixels per image pixel, taken from the height for both axes
};
Letterbox letterbox(const Image8& image, int width, int height);

}  // namespace ipa
