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

Image8 decoded(Network& vae, Tensor z, float scale, float shift, const StopFlag& stop) {
  const Network::Turn turn(vae);
  return pixels_of(vae.run("decode", {{"z", std::move(z)}}, {}, {}, stop).at("image"), scale, shift);
}

}  // namespace

Image8 decode(Network& vae, const Tensor& latents, double scaling_factor, const StopFlag& stop) {
  Tensor z = latents;
  for (float& v : z.data) v = static_cast<float>(static_cast<double>(v) / scaling_factor);
  return decoded(vae, std::move(z), 0.5f, 0.5f, stop);
}

Image8 decode_tiny(Network& vae, const Tensor& latents, const StopFlag& stop) {
  Tensor z = latents;
  for (float& v : z.data) v = 3 * std::tanh(v / 3);
  return decoded(vae, std::move(z), 1, 0, stop);
}

}  // namespace ipa
