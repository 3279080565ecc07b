#include "runtime/encode.h"

#include <cmath>

#include "core/error.h"

namespace ipa {

namespace {

// Pixels as scale / 255 * v + shift, and 0.5 scale + shift where they are hidden.
Tensor pixels_of(const Image8& image, std::span<const uint8_t> hidden, float scale, float shift) {
  check_image(image);
  Tensor pixels{{1, image.height, image.width, image.channels}, std::vector<float>(image.data.size())};
  for (size_t i = 0; i < pixels.data.size(); ++i)
    pixels.data[i] = static_cast<float>(image.data[i]) / 255.0f * scale + shift;
  const size_t channels = static_cast<size_t>(image.channels);
  for (size_t i = 0; i < hidden.size(); ++i)
    if (hidden[i] != 0)
      for (size_t c = 0; c < channels; ++c) pixels.data[i * channels + c] = 0.5f * scale + shift;
  return pixels;
}

void scale_and_check(Tensor& latents, double scaling_factor) {
  for (float& v : latents.data) {
    v = static_cast<float>(static_cast<double>(v) * scaling_factor);
    if (!std::isfinite(v))
      fail(Code::NAN_CONDITION, "the VAE encoder made a number that is NaN or infinite",
           "use a VAE that is safe in this number type, or another picture", {{"stage", "init"}});
  }
}

}  // namespace

Posterior encode(Network& vae, const Image8& image, std::span<const uint8_t> hidden, double scaling_factor,
                 const StopFlag& stop, const std::optional<TileSize>& tiles) {
  const Network::Turn turn(vae);
  const Tensor pixels = pixels_of(image, hidden, 2, -1);
  Tensors made = tiles ? vae.run("posterior", {{"moments", encode_in_tiles(vae, pixels, *tiles, stop)}}, {}, {}, stop)
                       : vae.run("encode", {{"image", pixels}}, {}, {}, stop);
  Posterior out{std::move(made.at("mean")), std::move(made.at("std"))};
  for (Tensor* tensor : {&out.mean, &out.spread}) scale_and_check(*tensor, scaling_factor);
  return out;
}

Posterior encode_tiny(Network& vae, const Image8& image, std::span<const uint8_t> hidden, const StopFlag& stop,
                      const std::optional<TileSize>& tiles) {
  const Network::Turn turn(vae);
  const Tensor pixels = pixels_of(image, hidden, 1, 0);
  Posterior out{tiles ? encode_in_tiles(vae, pixels, *tiles, stop, false, "latents")
                      : vae.run("encode", {{"image", pixels}}, {}, {}, stop).at("latents"),
                {}};
  scale_and_check(out.mean, 1);
  out.spread = {out.mean.shape, std::vector<float>(out.mean.data.size())};
  return out;
}

}  // namespace ipa
