#pragma once
#include <vector>

#include "models/clip_layer.h"
#include "models/configs.h"
#include "plan/builder.h"

namespace ipa {

struct ClipText {
  std::vector<Value> states;  // [0] embeddings, [k] after k layers; [N,1,T,D], no final norm
  Value normed(Builder& b, const ClipTextConfig& c, size_t layers) const;  // final norm over states[layers]
};

// Vectors in place of tokens (textual inversion): where `keep` [N,1,T,1] is 0 a token is its row of `vectors`
// [N,1,T,D], which is 0 where `keep` is 1.
struct PlacedVectors {
  Value vectors, keep;
};

// ids [N,1,T,1] (T <= positions) -> every hidden state. What no output needs is dropped when the recording finishes.
// `placed` may be absent.
ClipText clip_text(Builder& b, const ClipTextConfig& c, Value ids, const PlacedVectors& placed = {},
                   const HiddenTokens& hidden = {});

struct ClipTextRequest {
  int skip = 0;            // layers left out at the end: SDXL 1 + clipSkip, SD1.5 clipSkip
  bool final_norm = true;  // SD1.5 applies it even when layers are skipped; SDXL never does
  bool pooled = false;     // also the pooled text, which always runs all layers
  bool vectors = false;    // some tokens are vectors of the caller's
  HiddenTokens hidden = {};
};
// Input "ids" [n,1,tokens,1], with `pooled` also "end" [n,1,1,1], the row of the end token (the largest id, first one),
// with `vectors` also "vectors" [n,1,tokens,D] and "keep" [n,1,tokens,1].
// Outputs "hidden" [n,1,tokens,D] and "pooled" [n,1,1,P]: projected to text_embeds where the model has a projection.
void record_clip_text(Builder& b, const ClipTextConfig& c, int64_t n, int64_t tokens, const ClipTextRequest& request);

}  // namespace ipa
