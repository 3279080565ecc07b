#pragma once
#include "models/adapters.h"
#include "plan/builder.h"

namespace ipa {

// FaceID and portrait: id [N,1,F,E], F faces -> [N,1,F*T,D], the tokens of each face in input order
Value id_projection(Builder& b, const IdProjConfig& c, Value id);

// id [N,1,1,E], hidden [N,1,T_clip,E_clip] -> [N,1,T,D]. `s_scale` [1,1,1,1] is the weight of the CLIP part in v2;
// without it (id kNone) the result is v1's.
Value face_id_plus(Builder& b, const FaceIdPlusConfig& c, Value id, Value hidden, Value s_scale);

}  // namespace ipa
