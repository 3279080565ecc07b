// CLIP image encoder:
//
//   patches = conv(pixels; kernel = stride = patch, no bias)    [N,g,g,D] -> [N,1,g*g,D]
//   h = concat(class_embedding, patches) + position_embedding   [N,1,1+g*g,D]
//   h = pre_layrnorm(h)                                         (spelt so in the files)
//   layers: h += attention(LN h); h += mlp(LN h)                all tokens see all
//   penultimate = h before the last layer; last = h after it
//   image_embeds = visual_projection(post_layernorm(last[class token]))
//
// trap: the penultimate states get no post_layernorm, and image_embeds are not normalised.
#include "models/clip_vision.h"

#include <string>

#include "core/error.h"
#include "models/clip_layer.h"

namespace ipa {

ClipVision clip_vision(Builder& b, const ClipVisionConfig& c, Value pixels) {
  const int64_t n = pixels.shape.n;
  ClipVision out;
  {
    const auto s = b.enter("vision_model");
    Window window{};
    window.kernel_h = window.kernel_w = window.stride_h = window.stride_w = c.patch;
    window.pad_top = window.pad_left = window.pad_bottom = window.pad_right = 0;
    const Value grid = b.conv2d("embeddings.patch_embedding", pixels, c.width, window, false);
    const Value patches = b.reshape(grid, {n, 1, grid.shape.tokens(), c.width});
    const Value class_token = b.parameter("embeddings.class_embedding", {c.width}, {n, 1, 1, c.width});
    const Value positions =
        b.parameter("embeddings.position_embedding.weight", {c.tokens(), c.width}, {1, 1, c.tokens(), c.width});
    Value h = b.add(b.concat({class_token, patches}, 2), positions);
    h = b.layer_norm("pre_layrnorm", h, c.eps);
    for (int i = 0; i < c.layers; ++i) {
      if (i + 1 == c.layers) out.penultimate = h;
      const auto layer = b.enter("encoder.layers." + std::to_string(i));
      h = clip_layer(b, h, {c.heads, c.mlp, c.activation, false, c.eps});
    }
    out.last = h;
    h = b.layer_norm("post_layernorm", b.tokens(h, 0, 1), c.eps);
    out.image_embeds = h;
  }
  if (c.projection > 0)
    out.image_embeds = b.linear("visual_projection", out.image_embeds, c.projection, false);
  else
    out.image_embeds = {};
  return out;
}

namespace {

Value pixels(Builder& b, const ClipVisionConfig& c, int64_t n) {
  return b.input("pixels", {n, c.image, c.image, c.channels});
}

}  // namespace

void record_image_embeds(Builder& b, const ClipVisionConfig& c, int64_t n) {
  const ClipVision v = clip_vision(b, c, pixels(b, c, n));
  if (v.image_embeds.id == kNone)
    fail(Code::TENSOR_MISSING, "tensor \"visual_projection.weight\" is missing",
         "this image encoder has no projection; give a CLIPVisionModelWithProjection",
         {{"tensor", "visual_projection.weight"}});
  b.output("image_embeds", v.image_embeds);
}

void record_penultimate(Builder& b, const ClipVisionConfig& c, int64_t n) {
  b.output("hidden", clip_vision(b, c, pixels(b, c, n)).penultimate);
}

}  // namespace ipa
