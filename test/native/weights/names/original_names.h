#pragma once
// Names of the original checkpoints from diffusers' names, written down a second time and in the other direction than
// native/weights/names: straight from the rules of the specification, for SD1.5 (four levels) and SDXL (three).
#include <cstdio>
#include <string>

#include "core/tensor_index.h"

namespace ipa::test {

inline std::string replaced(std::string name, const std::string& from, const std::string& to) {
  if (const size_t at = name.find(from); at != std::string::npos) name.replace(at, from.size(), to);
  return name;
}

// "resnets.1.norm1.weight" -> ".0.in_layers.0.weight", "attentions.1.proj_in.weight" -> ".1.proj_in.weight"
inline std::string original_block(const std::string& rest) {
  const std::string tail = rest.substr(rest.find('.', rest.find('.') + 1));
  if (rest.starts_with("attentions.")) return ".1" + tail;
  std::string t = replaced(tail, ".norm1", ".in_layers.0");
  t = replaced(t, ".conv1", ".in_layers.2");
  t = replaced(t, ".time_emb_proj", ".emb_layers.1");
  t = replaced(t, ".norm2", ".out_layers.0");
  t = replaced(t, ".conv2", ".out_layers.3");
  return ".0" + replaced(t, ".conv_shortcut", ".skip_connection");
}

// `sdxl`: attention at levels 1 and 2 of 3; else at levels 0 to 2 of 4.
inline std::string original_unet(const std::string& name, bool sdxl) {
  int b = 0, l = 0, n = 0;
  const char* text = name.c_str();
  if (std::sscanf(text, "down_blocks.%d.downsamplers.0.conv%n", &b, &n) == 1 && n > 0)
    return "input_blocks." + std::to_string(3 * b + 3) + ".0.op" + name.substr(n);
  if (std::sscanf(text, "up_blocks.%d.upsamplers.0.conv%n", &b, &n) == 1 && n > 0)
    return "output_blocks." + std::to_string(3 * b + 2) + (sdxl || b > 0 ? ".2.conv" : ".1.conv") + name.substr(n);
  for (const char* kind : {"resnets", "attentions"}) {
    if (std::sscanf(text, (std::string("down_blocks.%d.") + kind + ".%d").c_str(), &b, &l) == 2)
      return "input_blocks." + std::to_string(1 + 3 * b + l) + original_block(name.substr(name.find(kind)));
    if (std::sscanf(text, (std::string("up_blocks.%d.") + kind + ".%d").c_str(), &b, &l) == 2)
      return "output_blocks." + std::to_string(3 * b + l) + original_block(name.substr(name.find(kind)));
  }
  if (name.starts_with("mid_block.resnets.0.")) return "middle_block.0" + original_block(name.substr(10)).substr(2);
  if (name.starts_with("mid_block.resnets.1.")) return "middle_block.2" + original_block(name.substr(10)).substr(2);
  std::string t = replaced(name, "mid_block.attentions.0.", "middle_block.1.");
  t = replaced(t, "time_embedding.linear_1.", "time_embed.0.");
  t = replaced(t, "time_embedding.linear_2.", "time_embed.2.");
  t = replaced(t, "add_embedding.linear_1.", "label_emb.0.0.");
  t = replaced(t, "add_embedding.linear_2.", "label_emb.0.2.");
  t = replaced(t, "conv_in.", "input_blocks.0.0.");
  t = replaced(t, "conv_norm_out.", "out.0.");
  return replaced(t, "conv_out.", "out.2.");
}

inline std::string original_vae(const std::string& name, int levels) {
  int i = 0, n = 0;
  std::string t = name;
  if (std::sscanf(name.c_str(), "decoder.up_blocks.%d%n", &i, &n) == 1)
    t = "decoder.up." + std::to_string(levels - 1 - i) + name.substr(n);
  t = replaced(t, "encoder.down_blocks.", "encoder.down.");
  t = replaced(t, ".mid_block.resnets.0", ".mid.block_1");
  t = replaced(t, ".mid_block.resnets.1", ".mid.block_2");
  t = replaced(t, ".mid_block.attentions.0.group_norm", ".mid.attn_1.norm");
  t = replaced(t, ".mid_block.attentions.0.to_out.0", ".mid.attn_1.proj_out");
  t = replaced(t, ".mid_block.attentions.0.to_", ".mid.attn_1.");
  t = replaced(t, ".downsamplers.0.conv", ".downsample.conv");
  t = replaced(t, ".upsamplers.0.conv", ".upsample.conv");
  t = replaced(t, ".resnets.", ".block.");
  t = replaced(t, ".conv_norm_out", ".norm_out");
  return replaced(t, ".conv_shortcut", ".nin_shortcut");
}

// transformers' CLIP -> open_clip, q, k and v fused: `tower` is "text_model." or "vision_model.".
inline TensorIndex open_clip(const TensorIndex& index, const std::string& tower) {
  const bool text = tower == "text_model.";
  const std::string prefix = text ? "" : "visual.";
  TensorIndex out;
  for (const auto& [name, info] : index) {
    std::string t = replaced(name, tower + "encoder.layers.", prefix + "transformer.resblocks.");
    t = replaced(t, ".layer_norm1", ".ln_1");
    t = replaced(t, ".layer_norm2", ".ln_2");
    t = replaced(t, ".mlp.fc1", ".mlp.c_fc");
    t = replaced(t, ".mlp.fc2", ".mlp.c_proj");
    t = replaced(t, ".self_attn.out_proj", ".attn.out_proj");
    t = replaced(t, tower + "embeddings.token_embedding", "token_embedding");
    t = replaced(t, tower + "embeddings.position_embedding.weight", prefix + "positional_embedding");
    t = replaced(t, tower + "embeddings.class_embedding", prefix + "class_embedding");
    t = replaced(t, tower + "embeddings.patch_embedding", prefix + "conv1");
    t = replaced(t, tower + "final_layer_norm", "ln_final");
    t = replaced(t, tower + "pre_layrnorm", prefix + "ln_pre");
    t = replaced(t, tower + "post_layernorm", prefix + "ln_post");
    TensorInfo changed = info;
    if (name == "text_projection.weight" || name == "visual_projection.weight") {
      t = text ? "text_projection" : "visual.proj";
      changed.dims = {info.dims[1], info.dims[0]};
    }
    if (t.find(".self_attn.k_proj") != std::string::npos || t.find(".self_attn.v_proj") != std::string::npos) continue;
    if (t.find(".self_attn.q_proj.") != std::string::npos) {
      t = replaced(t, ".self_attn.q_proj.", ".attn.in_proj_");
      changed.dims[0] *= 3;
    }
    out[t] = changed;
  }
  out["logit_scale"] = {DType::f32, {}};
  return out;
}

}  // namespace ipa::test
