#include "runtime/upscale.h"

#include "image/taps.h"

namespace ipa {

Tensor upscaled(const Tensor& latents, int64_t height, int64_t width) {
  const Shape& from = latents.shape;
  const auto taps = [](int64_t inputs, int64_t outputs) {
    return linear_taps(static_cast<int>(inputs), static_cast<int>(outputs));
  };
  Tensor out{{1, height, width, from.c}, {}};
  out.data.reserve(static_cast<size_t>(out.shape.size()));
  resample(latents.data.data(), static_cast<size_t>(from.w), static_cast<size_t>(from.c), taps(from.w, width),
           taps(from.h, height), [&](double sum) { out.data.push_back(static_cast<float>(sum)); });
  return out;
}

}  // namespace ipa
