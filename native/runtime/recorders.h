#pragma once
// Which plans each kind of network has, and what their requests mean. The one place where runtime knows models' names.
#include <map>
#include <string>
#include <vector>

#include "models/adapters.h"
#include "models/conditioning.h"
#include "models/configs.h"
#include "models/image_projection.h"
#include "models/tiny_autoencoder.h"
#include "runtime/network.h"

namespace ipa {

// `compute` is what the network's products are made with. Projectors and VAE encode always take f32.
//
// "step"      input "x" [N,h,w,Cin]; numbers of `step_numbers`           -> "eps"
//             with number "kept" also                                   -> "kept"
// "shallow"   the same inputs, those that it reads, and "kept"          -> "eps"
// "text_kv"   input "context" [N,1,T,D]                                 -> <site>.text_k, .text_v
// "schedule"  inputs "timesteps" [S,1,1,1] (SDXL "pooled", "time_ids")    -> <resnet>.time
std::map<std::string, PlanKind> unet_plans(const UNetConfig& unet, Compute compute = Compute::f32);
// The numbers of a step plan's request, and the conditioning that they stand for.
std::map<std::string, double> step_numbers(const Conditioning& c);

// "hint"      input "image" [1,H,W,3]                                    -> "hint"
// "step"      inputs "x" [N,h,w,Cin], "hint" and those of a UNet without image prompts -> "residual.<k>",
// "residual.mid" "text_kv", "schedule" as a UNet's
std::map<std::string, PlanKind> controlnet_plans(const ControlNetConfig& net, Compute compute = Compute::f32);
// "features" input "image" [1,H,W,C]                                     -> "feature.<i>"
std::map<std::string, PlanKind> t2i_adapter_plans(const T2iAdapterConfig& adapter, Compute compute = Compute::f32);

// "encode" input "image" [n,h,w,3]; "decode" input "z" [n,h,w,latent]
std::map<std::string, PlanKind> vae_plans(const VaeConfig& vae, Compute compute = Compute::f32);
// "encode" input "image" [n,h,w,3] in [0, 1]; "decode" input "z" [n,h,w,latent]: what the file has of both
std::map<std::string, PlanKind> tiny_autoencoder_plans(const TinyAutoencoderConfig& tiny,
                                                       Compute compute = Compute::f32);
// "hidden" inputs "ids" [n,1,T,1], with number "pooled" also "end", with "vectors" also "vectors" and "keep"; numbers
//          skip, final_norm, pooled, vectors, hidden_first and hidden_count: a run of tokens that no other sees
std::map<std::string, PlanKind> clip_text_plans(const ClipTextConfig& clip, Compute compute = Compute::f32);
// "image_embeds", "hidden" input "pixels" [n,S,S,3]
std::map<std::string, PlanKind> clip_vision_plans(const ClipVisionConfig& clip, Compute compute = Compute::f32);
// "projector" inputs by kind, see models/image_projection.h; numbers faces, tokens, shortcut
// "image_kv"  input "tokens" [N,1,T,D]                                  -> <site>.image_k, .image_v
std::map<std::string, PlanKind> adapter_plans(const AdapterInfo& adapter, const UNetConfig& unet);

}  // namespace ipa
