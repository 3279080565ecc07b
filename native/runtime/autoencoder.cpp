#include "runtime/autoencoder.h"

#include "runtime/decode.h"
#include "runtime/encode.h"

namespace ipa {

namespace {

std::optional<TileSize> tiles_of(const Loaded& vae) {
  if (vae.tiling != Tiling::always) return std::nullopt;
  TileSize size;
  size.pixels = size.latents * (vae.tiny ? TinyAutoencoderConfig::kFactor : vae.vae.factor());
  return size;
}

}  // namespace

Image8 decode(const Loaded& vae, const Tensor& latents, double scaling_factor, const StopFlag& stop) {
  const std::optional<TileSize> tiles = tiles_of(vae);
  return vae.tiny ? decode_tiny(*vae.network, latents, stop, tiles)
                  : decode(*vae.network, latents, scaling_factor, stop, tiles);
}

Posterior encode(const Loaded& vae, const Image8& image, std::span<const uint8_t> hidden, double scaling_factor,
                 const StopFlag& stop) {
  const std::optional<TileSize> tiles = tiles_of(vae);
  return vae.tiny ? encode_tiny(*vae.network, image, hidden, stop, tiles)
                  : encode(*vae.network, image, hidden, scaling_factor, stop, tiles);
}

}  // namespace ipa
