#pragma once
#include <string>
#include <vector>

#include "models/conditioning.h"
#include "models/configs.h"
#include "plan/builder.h"

namespace ipa {

// The first half, shared with ControlNet: h is conv_in's result.
struct UNetEncoding {
  Value h;                   // what the middle reads
  std::vector<Value> skips;  // in the order they were pushed; conv_in first
};
UNetEncoding unet_encoder(Builder& b, const UNetConfig& u, Value h, Conditioning& c);
Value unet_middle(Builder& b, const UNetConfig& u, Value h, Conditioning& c);

struct UNetResult {
  Value eps;   // predicted noise (or v) [N,H,W,out_channels]
  Value kept;  // what the layer of the last up block reads that has the outermost level's first skip
};

// x [N,H,W,in_channels]. Any H, W from 1 up.
// Taps: conv_in, down_blocks.<i>, mid_block, up_blocks.<i>, conv_norm_out, <site> (result of an attn2).
UNetResult unet(Builder& b, const UNetConfig& u, Value x, Conditioning& c);

// Step plan: input "x" [N,H,W,in_channels], those of conditioning.h; output "eps", with `keeps` also "kept". Sets
// c.sites.
void record_unet(Builder& b, const UNetConfig& u, int64_t h, int64_t w, Conditioning c, bool keeps = false);

// The same of the outermost level alone: its first layer on the way down, its last two on the way up. What lies between
// is the input "kept" of an earlier step. Sites and cells keep their numbers.
void record_shallow_unet(Builder& b, const UNetConfig& u, int64_t h, int64_t w, Conditioning c);

// How many residuals a ControlNet gives besides the middle's: SD1.5 12, SDXL 9.
int residual_count(const UNetConfig& u);

}  // namespace ipa
