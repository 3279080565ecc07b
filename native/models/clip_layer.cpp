#include "models/clip_layer.h"

namespace ipa {

// source: transformers CLIPEncoderLayer
Value clip_layer(Builder& b, Value x, const ClipLayer& layer) {
  const int width = static_cast<int>(x.shape.c);
  {
    Value h = b.layer_norm("layer_norm1", x, layer.eps);
    const auto s = b.enter("self_attn");
    const Value q = b.linear("q_proj", h, width), k = b.linear("k_proj", h, width), v = b.linear("v_proj", h, width);
    h = b.attend(q, k, v, layer.heads, {.factor = 0, .causal = layer.causal});
    x = b.add(b.linear("out_proj", h, width), x);
  }
  Value h = b.layer_norm("layer_norm2", x, layer.eps);
  const auto s = b.enter("mlp");
  h = b.linear("fc1", h, layer.mlp);
  h = layer.activation == Activation::gelu ? b.gelu(h) : b.quick_gelu(h);
  return b.add(b.linear("fc2", h, width), x);
}

}  // namespace ipa
