#pragma once
// The distilled autoencoders TAESD and TAESDXL: a twentieth of the full one's work, for previews and few-step runs.
#include <optional>

#include "core/tensor_index.h"
#include "plan/builder.h"

namespace ipa {

struct TinyAutoencoderConfig {
  int width = 64, latent_channels = 4, image_channels = 3;
  bool encodes = true, decodes = true;  // the authors keep both in files of their own

  static constexpr int kFactor = 8;  // pixels per latent
};

// `index` holds the names of diffusers, or a part of them. Nothing for what is no such autoencoder.
std::optional<TinyAutoencoderConfig> detect_tiny_autoencoder(const TensorIndex& index);

// Input "image" in [0, 1]; output "latents", scaled as a UNet takes them.
void record_tiny_encode(Builder& b, const TinyAutoencoderConfig& c, int64_t n, int64_t h, int64_t w);
// Input "z", scaled as a UNet gives them and brought into [-3, 3] by 3 tanh(z / 3); output "image" in [0, 1], not
// clamped.
void record_tiny_decode(Builder& b, const TinyAutoencoderConfig& c, int64_t n, int64_t h, int64_t w);

}  // namespace ipa
