#pragma once
// The step loop: noise, or a picture under noise -> latents of one picture, following rows that a sampler wrote.
#include <functional>
#include <optional>

#include "core/noise.h"
#include "runtime/control_run.h"
#include "runtime/start.h"
#include "runtime/step_row.h"
#include "runtime/unet_run.h"

namespace ipa {

struct SamplePrompt {
  Network* adapter;
  Tensor tokens, negative;              // [1, 1, T, D] each; negative only with guidance
  std::vector<float> scales;            // one per site, execution order
  std::vector<float> window;            // one factor per outer step: 1 inside, 0 outside
  std::optional<RegionMask> mask = {};  // where in the picture it acts; none: everywhere
  ImageKvFactors factors = {};
};

struct SampleRequest {
  int64_t height, width;      // latents
  std::vector<StepRow> rows;  // none: what the run begins with is its result
  SampleInit init;
  Tensor context, negative_context;  // [1, 1, T, D]; negative empty: no guidance
  Tensor pooled, negative_pooled;    // SDXL: [1, 1, 1, P]
  std::vector<float> time_ids, negative_time_ids;
  double guidance_scale = 1, guidance_rescale = 0;
  uint64_t seed = 0;
  NoiseRule noise = {};
  // trap: torch's numbers depend on how many are drawn at once; a batch from one generator draws all its pictures.
  int64_t batch_index = 0, batch_count = 1;
  std::vector<SamplePrompt> prompts;
  std::vector<Control> controls;  // at most kMostControls

  bool guided() const { return !negative_context.data.empty(); }
};

struct SampleEvents {
  std::function<void(int row, int step)> stepped;
  std::function<void(const Tensor& latents)> latents;  // after every row, when set
};

// [1, h, w, latent channels]. Throws ABORTED, NAN_LATENTS (naming the step), NAN_CONDITION.
Tensor sample(Network& unet, const UNetConfig& config, const SampleRequest& request, const SampleEvents& events,
              const StopFlag& stop);

}  // namespace ipa
