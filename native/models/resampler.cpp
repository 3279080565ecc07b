// Resampler of the plus, composition and unnorm adapters; perceiver of FaceID Plus:
//
//   z = latents, repeated over the batch     learned, used as they are
//   x = proj_in(input)                       once, the same for every layer
//   layers: a = norm1(x), q = norm2(z)
//           z = to_out( attend( to_q(q), to_kv( concat(a, q) ) ) ) + z
//           z = 1.3( gelu( 1.1( 1.0(z) ) ) ) + z       1.0 a LayerNorm, no biases in 1.1 and 1.3
//   out = norm_out( proj_out(z) )
//
// trap: keys and values are of the image tokens first, then of the *normed* latents; the residual adds the un-normed z.
#include "models/resampler.h"

#include <string>

namespace ipa {

namespace {

Value attention(Builder& b, const ResamplerConfig& c, Value z, Value x) {
  const Value image = b.layer_norm("norm1", x);
  const Value latents = b.layer_norm("norm2", z);
  const Value q = b.linear("to_q", latents, c.inner, false);
  const Value kv = b.linear("to_kv", b.concat({image, latents}, 2), 2 * c.inner, false);  // rows: K, then V
  const Value y = b.attend(q, b.channels(kv, 0, c.inner), b.channels(kv, c.inner, c.inner), c.heads());
  return b.linear("to_out", y, c.dim, false);
}

Value feed_forward(Builder& b, const ResamplerConfig& c, Value z) {
  return b.linear("3", b.gelu(b.linear("1", b.layer_norm("0", z), c.mlp, false)), c.dim, false);
}

}  // namespace

Value resampler(Builder& b, const ResamplerConfig& c, Value x) {
  return perceive(b, c, b.parameter("latents", {1, c.queries, c.dim}, {x.shape.n, 1, c.queries, c.dim}), x);
}

Value perceive(Builder& b, const ResamplerConfig& c, Value z, Value x) {
  x = b.linear("proj_in", x, c.dim);
  for (int l = 0; l < c.layers; ++l) {
    const auto layer = b.enter("layers." + std::to_string(l));
    {
      const auto s = b.enter("0");
      z = b.add(attention(b, c, z, x), z);
    }
    const auto s = b.enter("1");
    z = b.add(feed_forward(b, c, z), z);
  }
  return b.layer_norm("norm_out", b.linear("proj_out", z, c.width));
}

}  // namespace ipa
