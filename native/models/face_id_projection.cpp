// Projectors that read a face identity (an ArcFace vector):
//
//   FaceID, portrait   x = LN( reshape( proj.2( gelu( proj.0(id) ) ) ) )      each face on its own, tokens joined
//   FaceID Plus        o = perceiver with x as latents, looking at the CLIP tokens of the aligned face
//     v1               tokens = o
//     v2               tokens = x + s_scale * o                               no norm afterwards
//
// trap: v1 and v2 have the same names and shapes; the wrong one runs and gives poor faces.
#include "models/face_id_projection.h"

#include "models/resampler.h"

namespace ipa {

Value id_projection(Builder& b, const IdProjConfig& c, Value id) {
  const Value all = b.linear("proj.2", b.gelu(b.linear("proj.0", id, c.hidden)), c.tokens * c.width);
  return b.layer_norm("norm", b.reshape(all, {id.shape.n, 1, id.shape.tokens() * c.tokens, c.width}));
}

Value face_id_plus(Builder& b, const FaceIdPlusConfig& c, Value id, Value hidden, Value s_scale) {
  const Value x = id_projection(b, c.id, id);
  const auto s = b.enter("perceiver_resampler");
  const Value o = perceive(b, c.perceiver, x, hidden);
  return s_scale.id == kNone ? o : b.add_scaled(x, o, s_scale, 0);
}

}  // namespace ipa
