#include "models/clip_layer.h"

namespace ipa {

namespace {

constexpr int kTokenAxis = 2;

}  // namespace

// Queries around the run see each other as if it were not there; those inside see what is before it.
Value attend_without(Builder& b, Value q, Value k, Value v, int heads, const HiddenTokens& hidden) {
  const auto [first, count] = hidden;
  const int64_t end = first + count, rest = q.shape.tokens() - end;
  const auto around = [&](Value x) { return b.concat({b.tokens(x, 0, first), b.tokens(x, end, rest)}, kTokenAxis); };
  const Value outside = b.attend(around(q), around(k), around(v), heads, {.factor = 0, .causal = true});
  const Value inside = b.attend(b.tokens(q, first, count), b.tokens(k, 0, first), b.tokens(v, 0, first), heads);
  return b.concat({b.tokens(outside, 0, first), inside, b.tokens(outside, first, rest)}, kTokenAxis);
}

// source: transformers CLIPEncoderLayer
Value clip_layer(Builder& b, Value x, const ClipLayer& layer) {
  const int width = static_cast<int>(x.shape.c);
  {
    Value h = b.layer_norm("layer_norm1", x, layer.eps);
    const auto s = b.enter("self_attn");
    const Value q = b.linear("q_proj", h, width), k = b.linear("k_proj", h, width), v = b.linear("v_proj", h, width);
    h = layer.hidden.count > 0 ? attend_without(b, q, k, v, layer.heads, layer.hidden)
                               : b.attend(q, k, v, layer.heads, {.factor = 0, .causal = layer.causal});
    x = b.add(b.linear("out_proj", h, width), x);
  }
  Value h = b.layer_norm("layer_norm2", x, layer.eps);
  const auto s = b.enter("mlp");
  h = b.linear("fc1", h, layer.mlp);
  h = layer.activation == Activation::gelu ? b.gelu(h) : b.quick_gelu(h);
  return b.add(b.linear("fc2", h, width), x);
}

}  // namespace ipa
