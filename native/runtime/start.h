#pragma once
// What a run begins with and holds on to: noise alone, a picture under noise, and where it is painted anew.
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "runtime/network.h"

namespace ipa {

// A picture's latents as the VAE gives them, scaled: [1, h, w, C] each.
struct Posterior {
  Tensor mean, spread;  // spread empty: the mean itself is meant, no number is drawn
};

// signal * latents + noise * normal numbers
struct NoiseMix {
  double signal = 0, noise = 1;
};

struct SampleInit {
  Posterior image;               // empty: none is needed
  NoiseMix first;                // of the picture's latents, where the run begins
  std::vector<float> mask;       // [h, w]; 1: painted anew, 0: kept. Empty: the whole picture is
  bool fill_with_noise = false;  // where it is painted anew, the run begins with normal numbers in the picture's place
  std::vector<NoiseMix> after;   // of the kept latents after every row; empty: nothing is put back
  std::optional<Posterior> masked;  // the picture without what is painted anew; its numbers are drawn for every UNet
};

// Fresh normal numbers of the latents' size, NHWC: `alone` of one picture, `batch` of all those of a run.
struct Draws {
  std::function<void(std::span<float>)> alone, batch;
};

class Start {
 public:
  // Draws in the reference's order: the picture's posterior, the initial noise, the masked picture's posterior.
  // source: diffusers StableDiffusionInpaintPipeline.prepare_latents, prepare_mask_latents
  Start(const SampleInit& init, const Shape& latents, const Draws& draws);

  const Tensor& x() const { return x_; }  // [1, h, w, C]
  // Puts what is kept back into the latents after a row. false: nothing is kept, they are as they were.
  bool keeps() const { return !init_.after.empty(); }
  void put_back(size_t row, std::span<float> x) const;

  // What an inpainting UNet reads: latents, mask, masked picture. [h, w, C] -> [h, w, 2C + 1]
  void join(std::span<const float> x, std::span<float> to) const;

 private:
  const SampleInit& init_;
  Tensor x_;
  std::vector<float> image_, noise_, masked_;
};

}  // namespace ipa
