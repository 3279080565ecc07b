#include "models/blocks.h"

#include <string>

namespace ipa {

namespace {

// An image is its own token sequence: [N,H,W,C] -> [N,1,HW,C], the same bytes.
Value as_tokens(Builder& b, Value x) { return b.reshape(x, {x.shape.n, 1, x.shape.tokens(), x.shape.c}); }

}  // namespace

// source: diffusers ResnetBlock2D
// The skip is exact: it carries all that came before it, and nothing behind damps its rounding. It is 1 to 2 % of a
// UNet's products and a third of the error of its bf16 forward.
Value resnet_block(Builder& b, Value x, Value time, int out, const Norm& norm) {
  Value h = b.conv2d("conv1", b.silu(b.group_norm("norm1", x, norm.groups, norm.eps)), out);
  if (time.id != kNone) h = b.add_channel(h, time);
  h = b.conv2d("conv2", b.silu(b.group_norm("norm2", h, norm.groups, norm.eps)), out);
  const Value skip = x.shape.c == out ? x : b.exact(b.conv2d("conv_shortcut", x, out, 1));
  return b.add(h, skip);
}

Value embedding_mlp(Builder& b, std::string_view name, Value x, int out) {
  const auto s = b.enter(name);
  return b.linear("linear_2", b.silu(b.linear("linear_1", x, out)), out);
}

Value self_attention(Builder& b, Value x, int heads, bool bias) {
  const int width = static_cast<int>(x.shape.c);
  const Value q = b.linear("to_q", x, width, bias);
  const Value k = as_tokens(b, b.linear("to_k", x, width, bias));
  const Value v = as_tokens(b, b.linear("to_v", x, width, bias));
  return b.linear("to_out.0", b.attend(q, k, v, heads), width);
}

// Decoupled cross-attention: each image prompt is one more term with a softmax of its own.   source: arXiv 2308.06721
// trap: the terms are summed before to_out, whose bias is added once; image tokens never join the text's softmax.
Value cross_attention(Builder& b, Value x, Conditioning& c, int heads) {
  const int width = static_cast<int>(x.shape.c);
  const Value q = b.linear("to_q", x, width, false);
  const Kv text = c.text(b, width);
  Value y = b.attend(q, text.k, text.v, heads);
  for (int i = 0; i < static_cast<int>(c.image_prompts.size()); ++i) {
    const ImageKv image = c.image(b, i, x);
    y = b.add_scaled(y, b.attend(q, image.k, image.v, heads), image.row, image.cell, image.mask);
  }
  c.next_site();
  return b.tap("", b.linear("to_out.0", y, width));
}

Value feed_forward(Builder& b, Value x) {
  const int width = static_cast<int>(x.shape.c);
  return b.linear("net.2", b.geglu(b.linear("net.0.proj", x, 8 * width)), width);
}

Value transformer_block(Builder& b, Value x, Conditioning& c, int heads) {
  const auto below = [&](std::string_view name, auto&& layer) {
    const auto s = b.enter(name);
    return layer();
  };
  Value n = b.layer_norm("norm1", x);
  x = b.add(below("attn1", [&] { return self_attention(b, n, heads); }), x);
  n = b.layer_norm("norm2", x);
  x = b.add(below("attn2", [&] { return cross_attention(b, n, c, heads); }), x);
  n = b.layer_norm("norm3", x);
  return b.add(below("ff", [&] { return feed_forward(b, n); }), x);
}

Value spatial_transformer(Builder& b, Value x, Conditioning& c, const Transformer& t) {
  const int width = static_cast<int>(x.shape.c);
  // trap: eps is 1e-6 here, 1e-5 in the ResNets around it.
  Value h = b.group_norm("norm", x, t.groups, 1e-6f);
  h = t.linear ? b.linear("proj_in", h, width) : b.conv2d("proj_in", h, width, 1);
  for (int i = 0; i < t.blocks; ++i) {
    const auto s = b.enter("transformer_blocks." + std::to_string(i));
    h = transformer_block(b, h, c, t.heads);
  }
  h = t.linear ? b.linear("proj_out", h, width) : b.conv2d("proj_out", h, width, 1);
  if (t.blocks > 1) b.exact(h);  // as a skip: all that the blocks have summed passes through it
  return b.add(h, x);
}

Value downsample(Builder& b, std::string_view name, Value x) {
  return b.conv2d(name, x, static_cast<int>(x.shape.c), 3, 2);
}

Value downsample_asymmetric(Builder& b, std::string_view name, Value x) {
  Window window = square(3, 2);
  window.pad_top = window.pad_left = 0;
  return b.conv2d(name, x, static_cast<int>(x.shape.c), window);
}

Value upsample(Builder& b, std::string_view name, Value x, int64_t h, int64_t w) {
  return b.conv2d(name, b.upsample(x, h, w), static_cast<int>(x.shape.c));
}

Value vae_attention(Builder& b, Value x, const Norm& norm) {
  return b.add(self_attention(b, b.group_norm("group_norm", x, norm.groups, norm.eps), 1, true), x);
}

}  // namespace ipa
