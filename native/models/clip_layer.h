#pragma once
// The transformer layer that all CLIP towers share.
#include "models/configs.h"
#include "plan/builder.h"

namespace ipa {

struct ClipLayer {
  int heads = 12, mlp = 3072;
  Activation activation = Activation::quick_gelu;
  bool causal = false;  // text towers: token i sees tokens <= i; padding is not masked
  float eps = 1e-5f;
};

// x [N,1,T,D] -> [N,1,T,D]; the scope is that of the layer. Pre-norm, all projections with bias.
Value clip_layer(Builder& b, Value x, const ClipLayer& layer);

}  // namespace ipa
