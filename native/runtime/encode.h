#pragma once
#include <optional>
#include <span>

#include "image/image.h"
#include "runtime/network.h"
#include "runtime/start.h"
#include "runtime/tiles.h"

namespace ipa {

// RGB picture / 127.5 - 1 through the VAE -> mean and spread of its latents [1, h, w, C], times scaling_factor. Pixels
// where `hidden` [H * W] is not 0 are shown as 0, the middle grey of an inpainting UNet; empty: none. Sides are
// multiples of the VAE's factor.
Posterior encode(Network& vae, const Image8& image, std::span<const uint8_t> hidden, double scaling_factor,
                 const StopFlag& stop, const std::optional<TileSize>& tiles = {});

// The same of a tiny autoencoder: its latents are the scaled ones, and have no spread.
Posterior encode_tiny(Network& vae, const Image8& image, std::span<const uint8_t> hidden, const StopFlag& stop,
                      const std::optional<TileSize>& tiles = {});

}  // namespace ipa
