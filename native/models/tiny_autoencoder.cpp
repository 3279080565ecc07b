// source: madebyollin/taesd and diffusers' AutoencoderTiny
//
//   block     relu(x + conv relu conv relu conv x)
//   encoder   conv; block; three times (conv stride 2 without bias, three blocks); conv to the latent
//   decoder   conv, relu; three times (three blocks, upsample x2, conv without bias); block; conv to RGB
//
// Layers are numbered as in the sequential that the weights come from, those without weights included.
#include "models/tiny_autoencoder.h"

#include <string>

#include "models/shape_reader.h"

namespace ipa {

namespace {

constexpr int kStages = 3, kBlocks = 3;  // 8 pixels per latent

Value block(Builder& b, int layer, Value x) {
  const auto s = b.enter(std::to_string(layer) + ".conv");
  const int width = static_cast<int>(x.shape.c);
  Value h = x;
  for (const char* conv : {"0", "2"}) h = b.apply(Function::relu, b.conv2d(conv, h, width));
  return b.apply(Function::relu, b.add(b.conv2d("4", h, width), x));
}

}  // namespace

std::optional<TinyAutoencoderConfig> detect_tiny_autoencoder(const TensorIndex& index) {
  const bool encodes = index.contains("encoder.layers.0.weight"), decodes = index.contains("decoder.layers.0.weight");
  if (!encodes && !decodes) return std::nullopt;
  const ShapeReader r(index, "", "a tiny autoencoder");
  TinyAutoencoderConfig c;
  c.encodes = encodes, c.decodes = decodes;
  constexpr const char* kLast[] = {"encoder.layers.14.weight", "decoder.layers.18.weight"};
  if (encodes) {
    c.width = r.dim("encoder.layers.0.weight", 4, 0), c.image_channels = r.dim("encoder.layers.0.weight", 4, 1);
    c.latent_channels = r.dim(kLast[0], 4, 0);
  }
  if (decodes) {
    c.width = r.dim("decoder.layers.0.weight", 4, 0), c.latent_channels = r.dim("decoder.layers.0.weight", 4, 1);
    c.image_channels = r.dim(kLast[1], 4, 0);
  }
  return c;
}

void record_tiny_encode(Builder& b, const TinyAutoencoderConfig& c, int64_t n, int64_t h, int64_t w) {
  const auto s = b.enter("encoder.layers");
  int layer = 0;
  const auto next = [&] { return std::to_string(layer++); };
  Value x = b.conv2d(next(), b.input("image", {n, h, w, c.image_channels}), c.width);
  x = block(b, layer++, x);
  for (int stage = 0; stage < kStages; ++stage) {
    x = b.conv2d(next(), x, c.width, 3, 2, /*bias=*/false);
    for (int i = 0; i < kBlocks; ++i) x = block(b, layer++, x);
  }
  b.output("latents", b.conv2d(next(), x, c.latent_channels));
}

void record_tiny_decode(Builder& b, const TinyAutoencoderConfig& c, int64_t n, int64_t h, int64_t w) {
  const auto s = b.enter("decoder.layers");
  int layer = 0;
  const auto next = [&] { return std::to_string(layer++); };
  Value x = b.apply(Function::relu, b.conv2d(next(), b.input("z", {n, h, w, c.latent_channels}), c.width));
  ++layer;  // the relu
  for (int stage = 0; stage < kStages; ++stage) {
    for (int i = 0; i < kBlocks; ++i) x = block(b, layer++, x);
    ++layer;  // the upsampling
    x = b.conv2d(next(), b.upsample(x, 2 * x.shape.h, 2 * x.shape.w), c.width, 3, 1, /*bias=*/false);
  }
  x = block(b, layer++, x);
  b.output("image", b.conv2d(next(), x, c.image_channels));
}

}  // namespace ipa
