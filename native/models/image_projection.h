#pragma once
// Projectors that read a CLIP output by linear layers alone, and the entry that records any projector.
#include "models/adapters.h"
#include "plan/builder.h"

namespace ipa {

// Base, light, vit-G: image_embeds [N,1,1,E] -> [N,1,T,D]
Value image_projection(Builder& b, const ImageProjConfig& c, Value image_embeds);
// Full-face: penultimate states [N,1,T,E] -> [N,1,T,D], every token on its own
Value full_face_projection(Builder& b, const FullFaceConfig& c, Value hidden);

// What a projector reads: `faces` identities per row (portrait), `tokens` CLIP tokens (plus, full-face, FaceID Plus).
struct ProjectorInput {
  int64_t n = 1, faces = 1, tokens = 257;
  bool shortcut = true;  // FaceID Plus: v2 adds the identity tokens, v1 does not. Tensors cannot tell them apart.
};
// Weights are below `scope`: "image_proj" in adapter files. Inputs by kind:
//   base          image_embeds [n,1,1,E]
//   full-face     hidden [n,1,tokens,E]
//   resampler     hidden [n,1,tokens,E]; with faces > 1 hidden [n * faces,1,tokens,E], each on its own
//   id            id [n,1,faces,E]
//   FaceID Plus   id [n,1,1,E], hidden [n,1,tokens,E], and s_scale [1,1,1,1] with the shortcut
// Output "tokens" [n, 1, T, D]; the tokens of several faces follow each other.
void record_projector(Builder& b, const Projector& projector, const ProjectorInput& in, std::string_view scope);

}  // namespace ipa
