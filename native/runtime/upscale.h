#pragma once
#include "runtime/network.h"

namespace ipa {

// Latents [1, h, w, C] at another size: bilinear at half-pixel centres, without antialias, edges clamped.
//   source: torch interpolate "bilinear" with align_corners false, as the AUTOMATIC1111 web UI's "Latent" upscaler
Tensor upscaled(const Tensor& latents, int64_t height, int64_t width);

}  // namespace ipa
