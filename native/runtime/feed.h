#pragma once
#include <vector>

#include "runtime/start.h"
#include "runtime/step_row.h"
#include "runtime/unet_run.h"

namespace ipa {

// Brings scaled latents into the UNet's input, into both halves where the run is guided. An inpainting UNet reads more
// channels than the latents have: its pixels are put together on the host, some 100 KB a step.
class Feed {
 public:
  Feed(const Backend& backend, const UNetConfig& config, const Start& start, const UNetRun& run, bool guided);
  void operator()(const StepState& state, double scale) const;

 private:
  const Backend& backend_;
  const Start& start_;
  const UNetRun& run_;
  size_t half_;  // bytes of the input of one picture
  bool guided_;
  mutable std::vector<float> x_, joined_;
};

}  // namespace ipa
