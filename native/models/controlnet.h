#pragma once
#include "models/conditioning.h"
#include "models/configs.h"
#include "plan/builder.h"

namespace ipa {

// Request plan of the picture, once per run: input "image" [1, factor h, factor w, 3] in [0, 1], RGB; output "hint"
// [1, h, w, C of conv_in].
void record_hint(Builder& b, const ControlNetConfig& net, int64_t image_h, int64_t image_w);

// Step plan: inputs "x" [N,h,w,in_channels], "hint" and those of conditioning.h; outputs "residual.<k>" for every skip
// that a UNet pushes, "residual.mid". Not scaled: what sums several nets knows their strengths.
void record_controlnet(Builder& b, const ControlNetConfig& net, int64_t h, int64_t w, Conditioning c);

// ADAPTER_BASE_MISMATCH, naming the widths, where its residuals are not of the UNet's shapes or its text is another.
void check_fit(const ControlNetConfig& net, const UNetConfig& unet, const std::string& label);

}  // namespace ipa
