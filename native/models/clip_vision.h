#pragma once
#include "models/configs.h"
#include "plan/builder.h"

namespace ipa {

struct ClipVision {
  Value penultimate;   // [N,1,tokens,D] after all layers but one, class token first, no norm: plus adapters
  Value last;          // [N,1,tokens,D] after all layers, no norm
  Value image_embeds;  // [N,1,1,P] normed class token, projected: base adapters; none without a projection
};

// pixels [N,S,S,3], normalised -> all three. What no output needs is dropped when the recording finishes.
ClipVision clip_vision(Builder& b, const ClipVisionConfig& c, Value pixels);

// Input "pixels"; output "image_embeds" or "hidden" (the penultimate states).
void record_image_embeds(Builder& b, const ClipVisionConfig& c, int64_t n);
void record_penultimate(Builder& b, const ClipVisionConfig& c, int64_t n);

}  // namespace ipa
