// A UNet's encoder and middle, told a picture, whose skips go to the UNet through 1x1 convolutions:
//
//   controlnet_cond_embedding   conv_in silu, (blocks.2k silu, blocks.2k+1 stride 2 silu) ..., conv_out   -> hint
//   conv_in                     + hint, push
//   down_blocks.i, mid_block    as the UNet's
//   controlnet_down_blocks.k    of push k                                                          -> residual.k
//   controlnet_mid_block        of the middle                                                      -> residual.mid
//
// source: arXiv 2302.05543; diffusers ControlNetModel
#include "models/controlnet.h"

#include "core/error.h"
#include "models/adapters.h"
#include "models/blocks.h"
#include "models/unet.h"

namespace ipa {

namespace {

// source: diffusers, global_pool_conditions: the mean of every channel in every place
Value pooled(Builder& b, Value x) {
  const auto [n, h, w, c] = x.shape;
  const Value mean = b.reduce(x, ReduceKind::mean, n, h * w, c, {n, 1, 1, c});
  return b.rearrange(mean, {n, h * w, c}, {c, 0, 1}, 0, x.shape);
}

std::string widths(const UNetConfig& u) {
  std::string text;
  for (const UNetLevel& level : u.levels) text += (text.empty() ? "" : ", ") + std::to_string(level.width);
  return text;
}

std::string described(const UNetConfig& u) {
  return std::string(family_text(family_of(u))) + " (widths " + widths(u) + "; text " + std::to_string(u.context) +
         (u.added_conditioning() ? ", pooled text " + std::to_string(u.pooled_width) : "") + ")";
}

}  // namespace

void record_hint(Builder& b, const ControlNetConfig& net, int64_t image_h, int64_t image_w) {
  Value x = b.input("image", {1, image_h, image_w, net.image_channels});
  if (net.reversed_channels) x = b.rearrange(x, {image_h * image_w, 3}, {3, -1}, 2, x.shape);
  const auto s = b.enter("controlnet_cond_embedding");
  x = b.silu(b.conv2d("conv_in", x, net.hint[0]));
  for (size_t i = 0; i + 1 < net.hint.size(); ++i) {
    const std::string even = "blocks." + std::to_string(2 * i), odd = "blocks." + std::to_string(2 * i + 1);
    x = b.silu(b.conv2d(even, x, net.hint[i]));
    x = b.silu(b.conv2d(odd, x, net.hint[i + 1], 3, 2));
  }
  b.output("hint", b.conv2d("conv_out", x, net.unet.levels[0].width));
}

void record_controlnet(Builder& b, const ControlNetConfig& net, int64_t h, int64_t w, Conditioning c) {
  const UNetConfig& u = net.unet;
  const Value x = b.input("x", {c.batch, h, w, u.in_channels});
  const Value hint = b.input("hint", {1, h, w, u.levels[0].width});
  const Value first = b.add(b.conv2d("conv_in", x, u.levels[0].width), hint);
  const auto [last, skips] = unet_encoder(b, u, first, c);
  const Value middle = unet_middle(b, u, last, c);
  const auto residual = [&](const std::string& name, const std::string& layer, Value from) {
    const Value y = b.conv2d(layer, from, static_cast<int>(from.shape.c), 1);
    b.output("residual." + name, net.global_pool ? pooled(b, y) : y);
  };
  for (size_t k = 0; k < skips.size(); ++k)
    residual(std::to_string(k), "controlnet_down_blocks." + std::to_string(k), skips[k]);
  residual("mid", "controlnet_mid_block", middle);
}

void check_fit(const ControlNetConfig& net, const UNetConfig& unet, const std::string& label) {
  const UNetConfig& own = net.unet;
  const bool fits = widths(own) == widths(unet) && own.layers == unet.layers && own.context == unet.context &&
                    own.pooled_width == unet.pooled_width && own.time_ids == unet.time_ids &&
                    own.in_channels == unet.out_channels;
  if (!fits)
    fail(Code::ADAPTER_BASE_MISMATCH,
         label + " is a ControlNet for " + described(own) + ", the pipeline's UNet is " + described(unet),
         "use a ControlNet made for this base model, or load the base model it was made for",
         {{"file", label}, {"expected", described(own)}, {"found", described(unet)}});
}

}  // namespace ipa
