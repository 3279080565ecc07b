#include "runtime/start.h"

#include <algorithm>

namespace ipa {

namespace {

std::vector<float> drawn(const Posterior& posterior, const Draws& draws) {
  std::vector<float> z = posterior.mean.data;
  if (posterior.spread.data.empty()) return z;
  std::vector<float> noise(z.size());
  draws.alone(noise);
  for (size_t i = 0; i < z.size(); ++i) z[i] += posterior.spread.data[i] * noise[i];
  return z;
}

float mixed(const NoiseMix& mix, float clean, float noise) {
  // trap: without signal there may be no picture
  const double kept = mix.signal == 0 ? 0 : mix.signal * static_cast<double>(clean);
  return static_cast<float>(kept + mix.noise * static_cast<double>(noise));
}

}  // namespace

Start::Start(const SampleInit& init, const Shape& latents, const Draws& draws)
    : init_(init), x_{latents, std::vector<float>(static_cast<size_t>(latents.size()))}, noise_(x_.data.size()) {
  image_ = drawn(init.image, draws);
  draws.batch(noise_);
  if (init.masked) masked_ = drawn(*init.masked, draws);
  std::vector<float> clean = image_.empty() ? std::vector<float>(noise_.size()) : image_;
  const size_t channels = static_cast<size_t>(latents.c);
  if (init.fill_with_noise && !init.mask.empty()) {
    std::vector<float> fill(clean.size());
    draws.alone(fill);
    for (size_t i = 0; i < clean.size(); ++i)
      if (init.mask[i / channels] > 0) clean[i] = fill[i];
  }
  for (size_t i = 0; i < clean.size(); ++i) x_.data[i] = mixed(init.first, clean[i], noise_[i]);
}

void Start::put_back(size_t row, std::span<float> x) const {
  const size_t channels = static_cast<size_t>(x_.shape.c);
  for (size_t i = 0; i < x.size(); ++i) {
    const float share = init_.mask[i / channels];
    x[i] = (1 - share) * mixed(init_.after[row], image_[i], noise_[i]) + share * x[i];
  }
}

void Start::join(std::span<const float> x, std::span<float> to) const {
  const size_t channels = static_cast<size_t>(x_.shape.c), width = 2 * channels + 1;
  for (size_t i = 0; i < init_.mask.size(); ++i) {
    float* pixel = to.data() + i * width;
    std::copy_n(x.data() + i * channels, channels, pixel);
    pixel[channels] = init_.mask[i];
    std::copy_n(masked_.data() + i * channels, channels, pixel + channels + 1);
  }
}

}  // namespace ipa
