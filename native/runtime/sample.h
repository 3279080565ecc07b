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

// Texts that change from step to step, or several that are summed; in place of one context and a negative one.
struct SampleTexts {
  std::vector<Condition> conditions;
  RowChoices steps;             // per outer step: with guidance first the negative one, then one per weight
  std::vector<double> weights;  // of the summed ones: u + sum of w (c - u) is what guidance steers to
};

// denoised = x * latents before the call + out * what the network says
struct Denoised {
  size_t call;  // of the rows
  double x, out;
};

struct SampleRequest {
  int64_t height = 0, width = 0;  // latents
  std::vector<StepRow> rows;      // none: what the run begins with is its result
  SampleInit init = {};
  Tensor context, negative_context;  // [1, 1, T, D]; negative empty: no guidance
  Tensor pooled, negative_pooled;    // SDXL: [1, 1, 1, P]
  std::vector<float> time_ids, negative_time_ids;
  double guidance_scale = 1, guidance_rescale = 0;
  std::optional<FreeU> free_u = {};
  // In steps that are no multiple of it, deep features are those of the last one that was computed whole. 1: never
  int reuse_every = 1;
  std::vector<float> guidance_window = {};  // one factor per outer step; 0: guidance is off there. Empty: on in all
  uint64_t seed = 0;
  NoiseRule noise = {};
  // trap: torch's numbers depend on how many are drawn at once; a batch from one generator draws all its pictures.
  int64_t batch_index = 0, batch_count = 1;
  std::vector<SamplePrompt> prompts;
  std::vector<Control> controls;  // at most kMostControls
  std::optional<SampleTexts> texts = {};
  std::vector<Denoised> previews = {};  // of which calls, in their order

  bool guided() const {
    return texts ? texts->steps.at(0).size() > texts->weights.size() : !negative_context.data.empty();
  }
  // Rows of the network's batch: the negative one and what is summed.
  int64_t batch() const { return texts ? static_cast<int64_t>(texts->steps.at(0).size()) : guided() ? 2 : 1; }
};

struct SampleEvents {
  std::function<void(int row, int step)> stepped;
  std::function<void(const Tensor& latents)> latents;  // after every row, when set
  // What the latents would be without noise, after the rows that `previews` names.
  std::function<void(int row, int step, const Tensor& denoised)> previewed;
};

// [1, h, w, latent channels]. Throws ABORTED, NAN_LATENTS (naming the step), NAN_CONDITION.
Tensor sample(Network& unet, const UNetConfig& config, const SampleRequest& request, const SampleEvents& events,
              const StopFlag& stop);

}  // namespace ipa
