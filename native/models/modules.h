#pragma once
// Single layers by the names the reference gives their classes, so that each can be recorded and compared alone.
#include <map>
#include <string>

#include "models/configs.h"
#include "plan/builder.h"

namespace ipa {

// Inputs by name, in our order: [N,H,W,C] of an image, [N,1,T,C] of tokens, [N,1,1,C] of vectors, [N,1,1,1] of numbers.
using ModuleInputs = std::map<std::string, Shape, std::less<>>;

// Records the layer at scope "", its inputs by their names and its outputs ("y", or one per form: "full", "causal").
using RecordModule = void (*)(Builder& b, const ModuleInputs& inputs, const ConfigFacts& config);

// Kind -> function. The config of each:
//   Attention                  heads (x, context?) -> y; without `heads` the VAE's form, groups
//   FeedForward, TimestepEmbedding {o}, ResnetBlock2D {o, groups, eps} (x, temb?)
//   BasicTransformerBlock {heads}, Transformer2DModel {heads, depth, linear, groups} (x, context)
//   Downsample2D {asymmetric}, Upsample2D {size?}, CLIPEncoderLayer {heads, mlp, act} -> full, causal
//   Timesteps {D} (t), GuidanceEmbedding {D} (w = 1000 * (guidance scale - 1))
//   GroupNorm {groups} (x) -> eps1e-05, eps1e-06, LayerNorm (x)
//   ScaledDotProductAttention (q, k, v as [N,T,d,heads]) -> full, causal
//   Activations (x) -> silu, gelu, quick_gelu, sigmoid
const std::map<std::string, RecordModule, std::less<>>& modules();

}  // namespace ipa
