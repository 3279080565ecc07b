// A few convolutions that turn a picture into one feature per level of a UNet:
//
//   unshuffle    places of 8x8 (XL: 16x16) pixels become channels
//   full         conv_in 3x3; body.i: pool, in_conv 1x1 where widths differ, resnets.j: x + block2 1x1(relu(block1
//   3x3)) light        body.i: pool, in_conv 1x1 to a quarter, resnets.j: x + block2 3x3(relu(block1 3x3)), out_conv
//   1x1
//
// Each body.i gives feature.i. source: arXiv 2302.08453; diffusers T2IAdapter
#include "models/t2i_adapter.h"

#include <algorithm>

#include "core/error.h"
#include "models/adapters.h"

namespace ipa {

namespace {

std::string numbered(const char* name, int i) { return name + std::to_string(i); }

// [1, H, W, C] -> [1, H/f, W/f, C f f]; channel (c f + dy) f + dx, as the reference's PixelUnshuffle orders them.
Value unshuffled(Builder& b, Value x, int64_t f) {
  const auto [n, h, w, c] = x.shape;
  return b.rearrange(x, {h / f, w / f, c, f, f}, {f * w * c, f * c, 1, w * c, c}, 0, {1, h / f, w / f, c * f * f});
}

// The last row once more: [N, H, W, C] -> [N, H + 1, W, C].
Value with_last_row_twice(Builder& b, Value x) {
  const auto [n, h, w, c] = x.shape;
  const Value last = b.rearrange(x, {n, w * c}, {h * w * c, 1}, (h - 1) * w * c, {n, 1, w, c});
  return b.concat({x, last}, 1);
}

// Means of 2x2; at an odd edge of what is left of them, which is the mean with the edge twice. By ops that every
// backend has: no card has a pool.
Value halved(Builder& b, Value x) {
  if (x.shape.h % 2) x = with_last_row_twice(b, x);
  if (x.shape.w % 2) {  // a column is a row of every row
    const auto [n, h, w, c] = x.shape;
    x = b.reshape(with_last_row_twice(b, b.reshape(x, {n * h, w, 1, c})), {n, h, w + 1, c});
  }
  const auto [n, h, w, c] = x.shape;
  const int64_t places = n * h / 2 * (w / 2);
  x = b.rearrange(x, {n * h / 2, w / 2, 2, 2, c}, {2 * w * c, 2 * c, w * c, c, 1}, 0, {1, places, 4, c});
  return b.reduce(x, ReduceKind::mean, places, 4, c, {n, h / 2, w / 2, c});
}

Value block(Builder& b, Value x, int last_kernel) {
  const int width = static_cast<int>(x.shape.c);
  const Value h = b.apply(Function::relu, b.conv2d("block1", x, width));
  return b.add(b.conv2d("block2", h, width, last_kernel), x);
}

std::string listed(const std::vector<int>& widths) {
  std::string text;
  for (const int width : widths) text += (text.empty() ? "" : ", ") + std::to_string(width);
  return text;
}

}  // namespace

void record_t2i_adapter(Builder& b, const T2iAdapterConfig& t, int64_t image_h, int64_t image_w) {
  Value x = unshuffled(b, b.input("image", {1, image_h, image_w, t.image_channels}), t.unshuffle);
  const auto all = b.enter("adapter");
  if (!t.light) x = b.conv2d("conv_in", x, t.widths[0]);
  for (int i = 0; i < t.features(); ++i) {
    const auto level = b.enter(numbered("body.", i));
    if (t.halves[i]) x = halved(b, x);
    const int inner = t.light ? t.widths[i] / 4 : t.widths[i];
    if (t.light || x.shape.c != inner) x = b.conv2d("in_conv", x, inner, 1);
    for (int j = 0; j < t.blocks; ++j) {
      const auto s = b.enter(numbered("resnets.", j));
      x = block(b, x, t.light ? 3 : 1);
    }
    if (t.light) x = b.conv2d("out_conv", x, t.widths[i], 1);
    b.output(numbered("feature.", i), x);
  }
}

std::vector<std::string> feature_places(const T2iAdapterConfig& t, const UNetConfig& unet, const std::string& label) {
  std::vector<int> widths;
  for (const UNetLevel& level : unet.levels) widths.push_back(level.width);
  // How often a level's feature is halved against the latents. trap: a plain level takes it after its downsampler.
  const auto halvings_of_level = [&](int i) {
    return i + (unet.levels[i].transformers == 0 && i + 1 < unet.depth() ? 1 : 0);
  };
  std::vector<std::string> places;
  bool fits = t.features() >= unet.depth();
  int halvings = t.unshuffle == 16 ? 1 : 0;
  for (int i = 0; fits && i < t.features(); ++i) {
    halvings += t.halves[i] ? 1 : 0;
    if (i < unet.depth()) {
      fits = t.widths[i] == widths[i] && halvings == halvings_of_level(i);
      places.push_back(std::to_string(i));
      continue;
    }
    // source: diffusers UNet2DConditionModel: a feature that is left goes to the middle if it is of its size
    const bool middle = i == unet.depth() && t.widths[i] == widths.back() && halvings == unet.depth() - 1;
    places.push_back(middle ? "mid" : "");
  }
  if (!fits)
    fail(Code::ADAPTER_BASE_MISMATCH,
         label + " is a T2I-Adapter with features of " + listed(t.widths) + " channels for places of " +
             std::to_string(t.unshuffle) + " pixels, the pipeline's UNet is " + family_text(family_of(unet)) +
             " with levels of " + listed(widths),
         "use a T2I-Adapter made for this base model, or load the base model it was made for",
         {{"file", label}, {"expected", listed(t.widths)}, {"found", listed(widths)}});
  return places;
}

}  // namespace ipa
