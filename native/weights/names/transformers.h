#pragma once
// Files of single encoders: CLIP text and vision towers as transformers or open_clip saved them, and older diffusers
// VAEs. The result has the names of transformers with `text_model.` and `vision_model.`, and today's diffusers names.
// Buffers
// (`position_ids`, `logit_scale`) and the other tower of a whole CLIP are left out; names known to nobody stay.
#include "core/tensor_index.h"

namespace ipa {

TensorSource transformers_text(TensorSource source);    // also without `text_model.`; open_clip text
TensorSource open_clip_text(TensorSource source);       // the way back of the latter
TensorSource transformers_vision(TensorSource source);  // also without `vision_model.`; open_clip `visual.`
// The authors' taesd_encoder and taesd_decoder under diffusers' names; anything else as it is.
TensorSource tiny_autoencoder(TensorSource source);
bool is_tiny_autoencoder(const TensorIndex& index);  // in diffusers' names or the authors'
TensorSource diffusers_vae(TensorSource source);     // query, key, value, proj_attn -> to_q, to_k, to_v, to_out.0

}  // namespace ipa
