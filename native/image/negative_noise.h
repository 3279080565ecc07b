#pragma once
// A noisy picture to steer away from, made of a reference: kinds and formulas of ComfyUI_IPAdapter_plus
// (IPAdapterNoise); the random numbers are our own, the same for the same picture.
#include <optional>
#include <string_view>

#include "image/image.h"

namespace ipa {

enum class NoiseKind {
  fade,      // towards noise: x (1 - strength) + u strength
  dissolve,  // numbers replaced by noise, each with probability strength
  gaussian,  // x + strength g
  shuffle    // shaken and turned about, then towards white by 0.75 strength g
};
std::optional<NoiseKind> noise_kind_of(std::string_view name);

struct NoiseRule {
  NoiseKind kind = NoiseKind::fade;
  float strength = 1;  // 0..1
  int blur = 0;        // pixels of the Gaussian kernel, 0 none; even ones are taken one larger
};

// `square` is the encoder's square, [size, size, 3].
Image8 negative_noise(const Image8& square, const NoiseRule& rule);

}  // namespace ipa
