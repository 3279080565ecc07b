#pragma once
// A loaded VAE or tiny autoencoder at work, whole or in tiles as it was loaded to.
#include "image/image.h"
#include "runtime/load.h"
#include "runtime/start.h"

namespace ipa {

// decode.h, encode.h: `scaling_factor` is of a full VAE.
Image8 decode(const Loaded& vae, const Tensor& latents, double scaling_factor, const StopFlag& stop);
Posterior encode(const Loaded& vae, const Image8& image, std::span<const uint8_t> hidden, double scaling_factor,
                 const StopFlag& stop);

}  // namespace ipa
