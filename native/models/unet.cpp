// UNet2DConditionModel, one function for SD1.5, SDXL and anything of their topology (R ResNet, T transformer):
//
//   conv_in                                        push
//   down_blocks.i   (R [T]) x layers               push each      } level i of the config: width, transformer depth
//                   downsamplers.0 but in the last push           }
//   mid_block       R T R
//   up_blocks.i     (concat(h, pop) R [T]) x (layers + 1)         } level depth - 1 - i
//                   upsamplers.0 but in the last, to the size of the next skip
//   conv_norm_out, silu, conv_out
//
// Where ControlNet residuals and T2I features enter: conditioning.h. The time embedding and all K, V of text and images
// are inputs: see there too.
#include "models/unet.h"

#include "models/blocks.h"
#include "models/free_u.h"

namespace ipa {

namespace {

std::string numbered(std::string_view name, int i) { return std::string(name) + "." + std::to_string(i); }

Value resnet(Builder& b, const UNetConfig& u, int j, Value h, int width, Conditioning& c) {
  const auto s = b.enter(numbered("resnets", j));
  return resnet_block(b, h, c.time(b, width), width, {u.groups, u.eps});
}

Value attention(Builder& b, const UNetConfig& u, int j, Value h, int blocks, int heads, Conditioning& c) {
  if (blocks == 0) return h;
  const auto s = b.enter(numbered("attentions", j));
  return spatial_transformer(b, h, c, {blocks, heads, u.linear_projection, u.groups});
}

Value layer(Builder& b, const UNetConfig& u, int j, Value h, const UNetLevel& level, Conditioning& c) {
  h = resnet(b, u, j, h, level.width, c);
  return attention(b, u, j, h, level.transformers, level.heads, c);
}

// Layer j of level i on the way down, whose scope is open; pushes its skip.
void encoder_layer(Builder& b, const UNetConfig& u, int i, int j, UNetEncoding& e, Conditioning& c) {
  const UNetLevel& level = u.levels[i];
  e.h = layer(b, u, j, e.h, level, c);
  // trap: a feature enters a level with attention before its last skip and the downsampler, a plain one at its very
  // end.
  if (i < c.features && level.transformers > 0 && j + 1 == u.layers) e.h = c.add_feature(b, e.h, std::to_string(i));
  e.skips.push_back(e.h);
}

// Layer j of up block i, whose scope is open; pops its skip.
Value decoder_layer(Builder& b, const UNetConfig& u, int i, int j, Value h, std::vector<Value>& skips,
                    Conditioning& c) {
  Value skip = skips.back();
  skips.pop_back();
  if (c.free_u && i < kFreeUBlocks) h = free_u_hidden(b, h, i), skip = free_u_skip(b, skip, i);
  // trap: hidden state first, skip second
  return layer(b, u, j, b.concat({h, skip}), u.levels[u.depth() - 1 - i], c);
}

UNetEncoding conv_in(Builder& b, const UNetConfig& u, Value x) {
  const Value h = b.tap("conv_in", b.conv2d("conv_in", x, u.levels[0].width));
  return {h, {h}};
}

void add_controls(Builder& b, std::vector<Value>& skips, Conditioning& c) {
  for (size_t k = 0; k < skips.size(); ++k) skips[k] = c.add_control(b, skips[k], std::to_string(k));
}

Value conv_out(Builder& b, const UNetConfig& u, Value h) {
  h = b.tap("conv_norm_out", b.group_norm("conv_norm_out", h, u.groups, u.eps));
  return b.conv2d("conv_out", b.silu(h), u.out_channels);
}

// Of what the layer reads that has the outermost level's first skip.
Shape kept_shape(const UNetConfig& u, const Shape& x) {
  const bool own = u.layers > 1 || u.depth() == 1;  // else it comes from the level below
  return {x.n, x.h, x.w, u.levels[own ? 0 : 1].width};
}

}  // namespace

UNetEncoding unet_encoder(Builder& b, const UNetConfig& u, Value h, Conditioning& c) {
  UNetEncoding e{h, {h}};
  for (int i = 0; i < u.depth(); ++i) {
    const auto s = b.enter(numbered("down_blocks", i));
    for (int j = 0; j < u.layers; ++j) encoder_layer(b, u, i, j, e, c);
    if (i + 1 < u.depth()) e.skips.push_back(e.h = downsample(b, "downsamplers.0.conv", e.h));
    if (i < c.features && u.levels[i].transformers == 0)
      e.skips.back() = e.h = c.add_feature(b, e.h, std::to_string(i));
    b.tap("", e.h);
  }
  return e;
}

Value unet_middle(Builder& b, const UNetConfig& u, Value h, Conditioning& c) {
  const auto s = b.enter("mid_block");
  const UNetLevel& last = u.levels.back();
  h = resnet(b, u, 0, h, last.width, c);
  h = attention(b, u, 0, h, u.mid_transformers, last.heads, c);
  return b.tap("", resnet(b, u, 1, h, last.width, c));
}

UNetResult unet(Builder& b, const UNetConfig& u, Value x, Conditioning& c) {
  auto [h, skips] = unet_encoder(b, u, conv_in(b, u, x).h, c);
  h = unet_middle(b, u, h, c);
  if (c.feature_mid) h = c.add_feature(b, h, "mid");
  add_controls(b, skips, c);
  h = c.add_control(b, h, "mid");

  UNetResult result;
  for (int i = 0; i < u.depth(); ++i) {
    const auto s = b.enter(numbered("up_blocks", i));
    for (int j = 0; j <= u.layers; ++j) {
      if (skips.size() == 2) result.kept = h;
      h = decoder_layer(b, u, i, j, h, skips, c);
    }
    // The skip's own size instead of twice h: sides that are no multiple of 8 were rounded up on the way down.
    if (i + 1 < u.depth()) h = upsample(b, "upsamplers.0.conv", h, skips.back().shape.h, skips.back().shape.w);
    b.tap("", h);
  }
  result.eps = conv_out(b, u, h);
  return result;
}

// source: arXiv 2312.00858
static Value shallow_unet(Builder& b, const UNetConfig& u, Value x, Value kept, Conditioning& c) {
  UNetEncoding e = conv_in(b, u, x);
  {
    const auto s = b.enter("down_blocks.0");
    encoder_layer(b, u, 0, 0, e, c);
  }
  add_controls(b, e.skips, c);
  c.visited = c.sites - static_cast<int>(e.skips.size()) * u.levels[0].transformers;
  Value h = kept;
  const int last = u.depth() - 1;
  const auto s = b.enter(numbered("up_blocks", last));
  for (int j = u.layers - 1; j <= u.layers; ++j) h = decoder_layer(b, u, last, j, h, e.skips, c);
  return b.tap("", h);
}

void record_unet(Builder& b, const UNetConfig& u, int64_t h, int64_t w, Conditioning c, bool keeps) {
  c.sites = static_cast<int>(attention_sites(u).size());
  const Value x = b.input("x", {c.batch, h, w, u.in_channels});
  const UNetResult result = unet(b, u, x, c);
  b.output("eps", result.eps);
  if (keeps) b.output("kept", result.kept);
}

void record_shallow_unet(Builder& b, const UNetConfig& u, int64_t h, int64_t w, Conditioning c) {
  c.sites = static_cast<int>(attention_sites(u).size());
  const Value x = b.input("x", {c.batch, h, w, u.in_channels});
  const Value y = shallow_unet(b, u, x, b.input("kept", kept_shape(u, x.shape)), c);
  b.output("eps", conv_out(b, u, y));
}

int residual_count(const UNetConfig& u) { return u.depth() * (u.layers + 1); }

}  // namespace ipa
