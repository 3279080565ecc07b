#pragma once
// The transformer layer that all CLIP towers share.
#include <cstdint>

#include "models/configs.h"
#include "plan/builder.h"

namespace ipa {

// A run of tokens that no query sees, their own included. None where count is 0; not the first token.
struct HiddenTokens {
  int64_t first = 0, count = 0;
};

struct ClipLayer {
  int heads = 12, mlp = 3072;
  Activation activation = Activation::quick_gelu;
  bool causal = false;  // text towers: token i sees tokens <= i; padding is not masked
  float eps = 1e-5f;
  HiddenTokens hidden = {};  // of causal layers
};

// Causal attention in which keys of the hidden run have no weight.
Value attend_without(Builder& b, Value q, Value k, Value v, int heads, const HiddenTokens& hidden);

// x [N,1,T,D] -> [N,1,T,D]; the scope is that of the layer. Pre-norm, all projections with bias.
Value clip_layer(Builder& b, Value x, const ClipLayer& layer);

}  // namespace ipa
