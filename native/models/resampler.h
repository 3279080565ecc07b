#pragma once
#include "models/adapters.h"
#include "plan/builder.h"

namespace ipa {

// x [N,1,T,E] -> [N,1,queries,D]
Value resampler(Builder& b, const ResamplerConfig& c, Value x);
// The part after the latents: z [N,1,T',dim] looks at x [N,1,T,E] -> [N,1,T',D]. FaceID Plus brings its own z.
Value perceive(Builder& b, const ResamplerConfig& c, Value z, Value x);

}  // namespace ipa
