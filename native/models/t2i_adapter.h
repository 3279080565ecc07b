#pragma once
#include <string>
#include <vector>

#include "models/configs.h"
#include "plan/builder.h"

namespace ipa {

// Request plan, once per picture: input "image" [1, H, W, channels] in [0, 1], H and W multiples of `unshuffle`;
// outputs "feature.<i>", one per level of the adapter.
void record_t2i_adapter(Builder& b, const T2iAdapterConfig& adapter, int64_t image_h, int64_t image_w);

// The places of a UNet where its features go, by the names of conditioning.h: "0", "1", ... and, of one level more than
// the UNet has, "mid", where that is of the middle's size; "" for a feature that has no place.
// ADAPTER_BASE_MISMATCH, naming the widths, where they do not fit.
std::vector<std::string> feature_places(const T2iAdapterConfig& adapter, const UNetConfig& unet,
                                        const std::string& label);

}  // namespace ipa
