#pragma once
#include <vector>

#include "runtime/start.h"
#include "runtime/step_row.h"
#include "runtime/unet_run.h"

namespace ipa {

// Brings scaled latents into the UNet's input, into every row of its batch. An inpainting UNet reads more
// channels than the latents have: its pixels are put together on the host, some 100 KB a step.
class Feed {
 public:
  Feed(const Backend& backend, const UNetConfig& config, const Start& start, const UNetRun& run, int64_t rows);
  void operator()(const StepState& state, double scale) const;

 private:
  const Backend& backend_;
  const Start& start_;
  const UNetRun& run_;
  size_t bytes_;  // of a row of the input
  int64_t rows_;
  mutable std::vector<float> x_, joined_;
};

}  // namespace ipa
