#pragma once
// IP-Adapter files under the names of the authors' safetensors form: `image_proj.X` and `ip_adapter.N.X`.
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor_index.h"
#include "weights/rename.h"

namespace ipa {

// Aliases of both groups (training checkpoints, Kolors) and weights named by their place in the UNet (converters)
// become the authors' names, a training checkpoint's UNet is left out; everything else keeps its name, for
// detect_adapter to judge.
std::vector<Rename> adapter_names(const TensorIndex& index);
TensorSource adapter_groups(TensorSource source);

// N of `ip_adapter.N` (odd) -> path of the cross-attention: "down_blocks.0.attentions.0.transformer_blocks.0.attn2".
using CrossAttentions = std::map<int, std::string>;

// An inner LoRA's tensor "ip_adapter.N.to_q_lora.down.weight" -> weight "….attn1.to_q.weight" (N even) or of attn2 (N
// odd). "" when it is no such tensor or the UNet has no attention N.
std::string adapter_lora_target(std::string_view name, const CrossAttentions& sites);

}  // namespace ipa
