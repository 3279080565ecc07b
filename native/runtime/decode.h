#pragma once
#include <optional>

#include "image/image.h"
#include "models/configs.h"
#include "runtime/network.h"
#include "runtime/tiles.h"

namespace ipa {

// latents [1, h, w, C] / scaling_factor through the VAE -> RGB, 255 (x / 2 + 0.5) clamped and rounded to nearest even.
// NAN_DECODED when the decoder made a number that is none: never a black picture.
Image8 decode(Network& vae, const Tensor& latents, double scaling_factor, const StopFlag& stop,
              const std::optional<TileSize>& tiles = {});
// The same of a tiny autoencoder, whose latents are the scaled ones.
Image8 decode_tiny(Network& vae, const Tensor& latents, const StopFlag& stop,
                   const std::optional<TileSize>& tiles = {});

}  // namespace ipa
