#include "runtime/decode.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace ipa {

namespace {

// Pixels of what a decoder made: scale v + shift lies in [0, 1].
Image8 pixels_of(const Tensor& image, float scale, float shift) {
  Image8 pixels(static_cast<int>(image.shape.w), static_cast<int>(image.shape.h), 3);
  for (size_t i = 0; i < image.data.size(); ++i) {
    const float v = image.data[i];
    if (!std::isfinite(v))
      fail(Code::NAN_DECODED, "the VAE decoder made a number that is NaN or infinite",
           "decode in f32 (dtype: 'f32') or use a VAE that is safe in half precision");
    pixels.data[i] = static_cast<uint8_t>(std::nearbyint(std::clamp(v * scale + shift, 0.0f, 1.0f) * 255.0f));
  }
  return pixels;
}

// How pixels lie in what the decoder makes.
struct Range {
  float scale, shift;
};

Image8 decoded(Network& vae, const Tensor& z, Range range, const StopFlag& stop, const std::optional<TileSize>& tiles) {
  const Network::Turn turn(vae);
  const Tensor image =
      tiles ? decode_in_tiles(vae, z, *tiles, stop) : vae.run("decode", {{"z", z}}, {}, {}, stop).at("image");
  return pixels_of(image, range.scale, range.shift);
}

}  // namespace

Image8 decode(Network& vae, const Tensor& latents, double scaling_factor, const StopFlag& stop,
              const std::optional<TileSize>& tiles) {
  Tensor z = latents;
  for (float& v : z.data) v = static_cast<float>(static_cast<double>(v) / scaling_factor);
  return decoded(vae, z, {0.5f, 0.5f}, stop, tiles);
}

Image8 decode_tiny(Network& vae, const Tensor& latents, const StopFlag& stop, const std::optional<TileSize>& tiles) {
  Tensor z = latents;
  for (float& v : z.data) v = 3 * std::tanh(v / 3);
  return decoded(vae, z, {1, 0}, stop, tiles);
}

}  // namespace ipa
