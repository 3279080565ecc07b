// CLIP text encoder:
//
//   h = token_embedding[ids] + position_embedding          states[0]; a token may be a vector of the caller's instead
//   layers: h += attention(LN h) causal; h += mlp(LN h)    states[1 .. L]
//   final_layer_norm                                       "last" of all L layers
//   pooled = last[end token], then text_projection without bias where the model has one
//
// SD1.5 reads last (or, with clip skip, the normed earlier state); SDXL reads states[L - 1] of both encoders without
// norm and the projected pooled text of the second.
// trap: padding after the end token is encoded and attended to like any other token.
#include "models/clip_text.h"

#include <string>

#include "core/error.h"
#include "models/clip_layer.h"

namespace ipa {

Value ClipText::normed(Builder& b, const ClipTextConfig& c, size_t layers) const {
  return b.layer_norm("text_model.final_layer_norm", states[layers], c.eps);
}

namespace {

// tokens * keep + vectors: both factors are 0 or 1 and one summand is 0, so nothing is rounded.
Value with_vectors(Builder& b, Value tokens, const PlacedVectors& placed) {
  const auto s = b.enter("vectors");
  const int64_t rows = tokens.shape.rows(), width = tokens.shape.c;
  const Value kept = b.binary(BinaryKind::mul, tokens, placed.keep, {rows, width}, {width, 1}, {1, 0}, tokens.shape);
  return b.add(kept, placed.vectors);
}

}  // namespace

ClipText clip_text(Builder& b, const ClipTextConfig& c, Value ids, const PlacedVectors& placed,
                   const HiddenTokens& hidden) {
  const auto s = b.enter("text_model");
  Value tokens = b.embed("embeddings.token_embedding", ids, c.vocabulary, c.width);
  if (placed.vectors.id != kNone) tokens = with_vectors(b, tokens, placed);
  Value positions =
      b.parameter("embeddings.position_embedding.weight", {c.positions, c.width}, {1, 1, c.positions, c.width});
  if (ids.shape.tokens() < c.positions) positions = b.tokens(positions, 0, ids.shape.tokens());
  ClipText text{{b.add(tokens, positions)}};
  for (int i = 0; i < c.layers; ++i) {
    const auto layer = b.enter("encoder.layers." + std::to_string(i));
    text.states.push_back(clip_layer(b, text.states.back(), {c.heads, c.mlp, c.activation, true, c.eps, hidden}));
  }
  return text;
}

void record_clip_text(Builder& b, const ClipTextConfig& c, int64_t n, int64_t tokens, const ClipTextRequest& request) {
  if (request.skip < 0 || request.skip >= c.layers)
    fail(Code::OPTION_RANGE,
         "clipSkip: the text encoder has " + std::to_string(c.layers) + " layers, " + std::to_string(request.skip) +
             " cannot be left out",
         "use a smaller clipSkip");
  const auto [first, count] = request.hidden;
  if (count > 0 && (first < 1 || first + count >= tokens))
    fail(Code::INTERNAL, "tokens that are hidden lie between others", "report this with the prompt");
  const Value ids = b.input("ids", {n, 1, tokens, 1});
  PlacedVectors placed;
  if (request.vectors) placed = {b.input("vectors", {n, 1, tokens, c.width}), b.input("keep", {n, 1, tokens, 1})};
  const ClipText text = clip_text(b, c, ids, placed, request.hidden);
  const size_t layers = c.layers - request.skip;
  b.output("hidden", request.final_norm ? text.normed(b, c, layers) : text.states[layers]);
  if (!request.pooled) return;
  const Value pooled = b.take_token(text.normed(b, c, c.layers), b.input("end", {n, 1, 1, 1}));
  b.output("pooled", c.projection > 0 ? b.linear("text_projection", pooled, c.projection, false) : pooled);
}

}  // namespace ipa
