#pragma once
// The blocks that UNet, ControlNet and VAE are made of. Each opens no scope of its own unless it says so: the caller's
// scope is the block's path.
#include <string_view>

#include "models/conditioning.h"
#include "plan/builder.h"

namespace ipa {

struct Norm {
  int groups = 32;
  float eps = 1e-5f;
};

// x [N,H,W,C] -> [N,H,W,out]; time [1|N,1,1,out] is the projected time embedding, absent in a VAE.
Value resnet_block(Builder& b, Value x, Value time, int out, const Norm& norm);

// x [.., C] -> [.., out] through linear_1, silu, linear_2 below `name`. Time and added embeddings.
Value embedding_mlp(Builder& b, std::string_view name, Value x, int out);

// x [N,H,W,C] attends to itself. `bias` is that of to_q, to_k, to_v; to_out.0 always has one.
Value self_attention(Builder& b, Value x, int heads, bool bias = false);
// x [N,H,W,C] attends to the text and to every image prompt of `c`.
Value cross_attention(Builder& b, Value x, Conditioning& c, int heads);
// GEGLU: x [.., C] -> [.., C], hidden width 4C.
Value feed_forward(Builder& b, Value x);
// norm1 attn1, norm2 attn2, norm3 ff, each added to x.
Value transformer_block(Builder& b, Value x, Conditioning& c, int heads);

struct Transformer {
  int blocks = 1, heads = 8;
  bool linear = false;  // proj_in, proj_out: 1x1 convolutions (SD1.5) or matrices (SDXL); the same arithmetic
  int groups = 32;
};
// x [N,H,W,C] -> norm, proj_in, blocks, proj_out, + x
Value spatial_transformer(Builder& b, Value x, Conditioning& c, const Transformer& t);

// 3x3 stride 2, padding 1 on every side -> ceil(H/2).
Value downsample(Builder& b, std::string_view name, Value x);
// The VAE encoder's: one zero row below, one zero column on the right, nothing above and left -> floor(H/2).
Value downsample_asymmetric(Builder& b, std::string_view name, Value x);
// Nearest to exactly [h, w], then 3x3.
Value upsample(Builder& b, std::string_view name, Value x, int64_t h, int64_t w);

// The VAE's middle attention: one head over all channels, group_norm first, + x.
Value vae_attention(Builder& b, Value x, const Norm& norm);

}  // namespace ipa
