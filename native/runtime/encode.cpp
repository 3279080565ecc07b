#include "runtime/encode.h"

#include <cmath>

#include "core/error.h"

namespace ipa {

Posterior encode(Network& vae, const Image8& image, std::span<const uint8_t> hidden, double scaling_factor,
                 const StopFlag& stop) {
  check_image(image);
  Tensor pixels{{1, image.height, image.width, image.channels}, std::vector<float>(image.data.size())};
  for (size_t i = 0; i < pixels.data.size(); ++i)
    pixels.data[i] = static_cast<float>(image.data[i]) / 255.0f * 2.0f - 1.0f;
  const size_t channels = static_cast<size_t>(image.channels);
  for (size_t i = 0; i < hidden.size(); ++i)
    if (hidden[i] != 0)
      for (size_t c = 0; c < channels; ++c) pixels.data[i * channels + c] = 0;
  Tensors made = vae.run("encode", {{"image", std::move(pixels)}}, {}, {}, stop);
  Posterior out{std::move(made.at("mean")), std::move(made.at("std"))};
  for (Tensor* tensor : {&out.mean, &out.spread})
    for (float& v : tensor->data) {
      v = static_cast<float>(static_cast<double>(v) * scaling_factor);
      if (!std::isfinite(v))
        fail(Code::NAN_CONDITION, "the VAE encoder made a number that is NaN or infinite",
             "use a VAE that is safe in this number type, or another picture", {{"stage", "init"}});
    }
  return out;
}

}  // namespace ipa
