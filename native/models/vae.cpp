// AutoencoderKL (R ResNet without time embedding, A attention over all pixels with one head; eps 1e-6 everywhere):
//
//   encoder   conv_in; down_blocks.i: R x layers, downsample but in the last; mid_block: R A R;
//             conv_norm_out, silu, conv_out to 2 * latent channels; quant_conv 1x1
//   decoder   post_quant_conv 1x1; conv_in; mid_block: R A R; up_blocks.i: R x (layers + 1), upsample x2 but in the
//   last;
//             conv_norm_out, silu, conv_out to RGB
//
// The encoder's widths run up, the decoder's down: up_blocks.i has widths[depth - 1 - i].
#include "models/vae.h"

#include <string>

#include "models/blocks.h"

namespace ipa {

namespace {

Value resnet(Builder& b, const VaeConfig& v, int j, Value h, int width) {
  const auto s = b.enter("resnets." + std::to_string(j));
  return resnet_block(b, h, {}, width, {v.groups, v.eps});
}

Value middle(Builder& b, const VaeConfig& v, Value h) {
  const auto s = b.enter("mid_block");
  const int width = v.widths.back();
  h = resnet(b, v, 0, h, width);
  if (v.mid_attention) {
    const auto a = b.enter("attentions.0");
    h = vae_attention(b, h, {v.groups, v.eps});
  }
  return b.tap("", resnet(b, v, 1, h, width));
}

Value out(Builder& b, const VaeConfig& v, Value h, int channels) {
  return b.conv2d("conv_out", b.silu(b.group_norm("conv_norm_out", h, v.groups, v.eps)), channels);
}

// source: diffusers DiagonalGaussianDistribution
void posterior(Builder& b, const VaeConfig& v, Value moments) {
  const Value logvar =
      b.apply(Function::clip, b.channels(moments, v.latent_channels, v.latent_channels), -30.0f, 20.0f);
  b.output("mean", b.channels(moments, 0, v.latent_channels));
  b.output("logvar", logvar);
  b.output("std", b.apply(Function::sqrt, b.apply(Function::exp, logvar)));  // exp(logvar / 2)
}

}  // namespace

Value vae_encoder(Builder& b, const VaeConfig& v, Value x) {
  const int depth = static_cast<int>(v.widths.size());
  Value h;
  {
    const auto s = b.enter("encoder");
    h = b.tap("conv_in", b.conv2d("conv_in", x, v.widths[0]));
    for (int i = 0; i < depth; ++i) {
      const auto block = b.enter("down_blocks." + std::to_string(i));
      for (int j = 0; j < v.layers; ++j) h = resnet(b, v, j, h, v.widths[i]);
      if (i + 1 < depth) h = downsample_asymmetric(b, "downsamplers.0.conv", h);
      b.tap("", h);
    }
    h = out(b, v, middle(b, v, h), 2 * v.latent_channels);
  }
  return v.quant_conv ? b.conv2d("quant_conv", h, 2 * v.latent_channels, 1) : h;
}

Value vae_decoder(Builder& b, const VaeConfig& v, Value z) {
  const int depth = static_cast<int>(v.widths.size());
  if (v.post_quant_conv) z = b.conv2d("post_quant_conv", z, v.latent_channels, 1);
  const auto s = b.enter("decoder");
  Value h = middle(b, v, b.tap("conv_in", b.conv2d("conv_in", z, v.widths.back())));
  for (int i = 0; i < depth; ++i) {
    const auto block = b.enter("up_blocks." + std::to_string(i));
    for (int j = 0; j <= v.layers; ++j) h = resnet(b, v, j, h, v.widths[depth - 1 - i]);
    if (i + 1 < depth) h = upsample(b, "upsamplers.0.conv", h, 2 * h.shape.h, 2 * h.shape.w);
    b.tap("", h);
  }
  return out(b, v, h, v.image_channels);
}

void record_vae_encode(Builder& b, const VaeConfig& v, int64_t n, int64_t h, int64_t w) {
  const Value moments = vae_encoder(b, v, b.input("image", {n, h, w, v.image_channels}));
  b.output("moments", moments);
  posterior(b, v, moments);
}

void record_vae_posterior(Builder& b, const VaeConfig& v, int64_t n, int64_t h, int64_t w) {
  posterior(b, v, b.input("moments", {n, h, w, 2 * v.latent_channels}));
}

void record_vae_decode(Builder& b, const VaeConfig& v, int64_t n, int64_t h, int64_t w) {
  b.output("image", vae_decoder(b, v, b.input("z", {n, h, w, v.latent_channels})));
}

}  // namespace ipa
