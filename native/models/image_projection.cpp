// Linear projectors of the base and full-face adapters:
//
//   base        tokens = LN( reshape( proj(image_embeds) ) )      proj: E -> T * D, token t is outputs tD .. (t+1)D - 1
//   full-face   tokens = LN( proj.2( gelu( proj.0(hidden) ) ) )   on every CLIP token
//
// All LayerNorms of projectors have eps 1e-5, all GELUs the erf form.
#include "models/image_projection.h"

#include "models/face_id_projection.h"
#include "models/resampler.h"

namespace ipa {

Value image_projection(Builder& b, const ImageProjConfig& c, Value image_embeds) {
  const Value all = b.linear("proj", image_embeds, c.tokens * c.width);
  return b.layer_norm("norm", b.reshape(all, {image_embeds.shape.n, 1, c.tokens, c.width}));
}

Value full_face_projection(Builder& b, const FullFaceConfig& c, Value hidden) {
  const Value h = b.gelu(b.linear("proj.0", hidden, c.hidden));
  return b.layer_norm("proj.3", b.linear("proj.2", h, c.width));
}

namespace {

struct Recorder {
  Builder& b;
  const ProjectorInput& in;

  Value hidden(int64_t rows, int width) const { return b.input("hidden", {rows, 1, in.tokens, width}); }

  Value operator()(const ImageProjConfig& c) const {
    return image_projection(b, c, b.input("image_embeds", {in.n, 1, 1, c.in}));
  }
  Value operator()(const FullFaceConfig& c) const { return full_face_projection(b, c, hidden(in.n, c.in)); }
  Value operator()(const ResamplerConfig& c) const {
    const Value tokens = resampler(b, c, hidden(in.n * in.faces, c.in));
    return b.reshape(tokens, {in.n, 1, in.faces * c.queries, c.width});
  }
  Value operator()(const IdProjConfig& c) const {
    return id_projection(b, c, b.input("id", {in.n, 1, in.faces, c.in}));
  }
  Value operator()(const FaceIdPlusConfig& c) const {
    const Value id = b.input("id", {in.n, 1, 1, c.id.in});
    Value s_scale;
    if (in.shortcut) s_scale = b.input("s_scale", {1, 1, 1, 1});
    return face_id_plus(b, c, id, hidden(in.n, c.perceiver.in), s_scale);
  }
};

}  // namespace

void record_projector(Builder& b, const Projector& projector, const ProjectorInput& in, std::string_view scope) {
  Value tokens;
  {
    const auto s = b.enter(scope);
    tokens = std::visit(Recorder{b, in}, projector);
  }
  b.output("tokens", tokens);
}

}  // namespace ipa
