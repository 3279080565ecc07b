// Every tensor of the original layouts finds its diffusers name, for true and for tiny sizes.
#include "weights/names/ldm.h"

#include <map>

#include "models/golden_model.h"
#include "models/unet.h"
#include "original_names.h"
#include "ranges.h"
#include "test.h"
#include "weights/names/transformers.h"
#include "weights/rename.h"
#include "weights/synthetic.h"
#include "weights/tensor_values.h"

namespace {

using namespace ipa;
using namespace ipa::test;

void expect_same_index(const TensorIndex& found, const TensorIndex& expected, const std::string& what) {
  int wrong = 0;
  for (const auto& [name, info] : expected) {
    const auto at = found.find(name);
    const bool fits = at != found.end() && at->second.dims == info.dims;
    if (!fits && ++wrong <= 5)
      failed(__FILE__, __LINE__, what + ": " + name + (at == found.end() ? " is missing" : " has another shape"));
  }
  for (const auto& [name, info] : found)
    if (!expected.contains(name) && ++wrong <= 5) failed(__FILE__, __LINE__, what + ": " + name + " is left over");
  EXPECT(!expected.empty());
}

TensorIndex original(const std::string& model, const std::string& prefix) {
  const GoldenModel golden(model);
  const bool sdxl = golden.index.contains("add_embedding.linear_1.weight");
  TensorIndex out;
  for (const auto& [name, info] : golden.index) out[prefix + original_unet(name, sdxl)] = info;
  EXPECT_EQ(out.size(), golden.index.size());
  return out;
}

TensorIndex original_vae_index(const std::string& model, const std::string& prefix) {
  const GoldenModel golden(model);
  int levels = 0;
  while (golden.index.contains("decoder.up_blocks." + std::to_string(levels) + ".resnets.0.norm1.weight")) ++levels;
  TensorIndex out;
  for (const auto& [name, info] : golden.index) {
    TensorInfo changed = info;
    if (name.find(".attentions.0.to_") != std::string::npos && name.ends_with(".weight"))
      changed.dims.insert(changed.dims.end(), {1, 1});
    out[prefix + original_vae(name, levels)] = changed;
  }
  EXPECT_EQ(out.size(), golden.index.size());
  return out;
}

}  // namespace

TEST("the original UNet names become diffusers' names, all of them") {
  for (const char* model : {"unet15", "unet15-inpaint", "unetxl", "true-unet15", "true-unetxl"})
    for (const char* prefix : {"model.diffusion_model.", "diffusion_model.", ""})
      expect_same_index(ldm_unet(synthetic("s", original(model, prefix))).index, GoldenModel(model).index, model);
}

TEST("known pairs of UNet names") {
  const std::map<std::string, std::map<std::string, std::string>> pairs = {
      {"true-unet15",
       {{"up_blocks.0.upsamplers.0.conv", "output_blocks.2.1.conv"},
        {"up_blocks.1.upsamplers.0.conv", "output_blocks.5.2.conv"},
        {"up_blocks.2.upsamplers.0.conv", "output_blocks.8.2.conv"},
        {"down_blocks.0.attentions.0.transformer_blocks.0", "input_blocks.1.1.transformer_blocks.0"},
        {"down_blocks.2.attentions.1.transformer_blocks.0", "input_blocks.8.1.transformer_blocks.0"},
        {"up_blocks.3.attentions.2.transformer_blocks.0", "output_blocks.11.1.transformer_blocks.0"},
        {"mid_block.attentions.0.transformer_blocks.0", "middle_block.1.transformer_blocks.0"},
        {"down_blocks.3.resnets.1.conv2", "input_blocks.11.0.out_layers.3"},
        {"down_blocks.2.downsamplers.0.conv", "input_blocks.9.0.op"}}},
      {"true-unetxl",
       {{"up_blocks.0.upsamplers.0.conv", "output_blocks.2.2.conv"},
        {"up_blocks.1.upsamplers.0.conv", "output_blocks.5.2.conv"},
        {"down_blocks.1.attentions.0.transformer_blocks.1", "input_blocks.4.1.transformer_blocks.1"},
        {"down_blocks.2.attentions.1.transformer_blocks.9", "input_blocks.8.1.transformer_blocks.9"},
        {"up_blocks.1.attentions.2.proj_out", "output_blocks.5.1.proj_out"},
        {"add_embedding.linear_2", "label_emb.0.2"}}}};
  for (const auto& [model, list] : pairs) {
    for (const TensorIndex& index : {GoldenModel(model).index, original(model, "")}) {
      const ModuleMap to_ldm(unet_modules(index), ModuleMap::To::foreign),
          back(unet_modules(index), ModuleMap::To::diffusers);
      for (const auto& [diffusers, ldm] : list) {
        EXPECT_EQ(to_ldm(diffusers), ldm);
        EXPECT_EQ(back(ldm), diffusers);
      }
    }
  }
}

TEST("the original VAE names become diffusers' names, attention squeezed") {
  for (const char* model : {"vae", "vaexl", "true-vae"})
    for (const char* prefix : {"first_stage_model.", "vae.", ""})
      expect_same_index(ldm_vae(synthetic("s", original_vae_index(model, prefix))).index, GoldenModel(model).index,
                        model);
}

TEST("older diffusers VAE attention names are read") {
  const GoldenModel model("vae");
  TensorIndex old;
  for (const auto& [name, info] : model.index) {
    std::string t = replaced(name, ".attentions.0.to_q.", ".attentions.0.query.");
    t = replaced(replaced(t, ".0.to_k.", ".0.key."), ".0.to_v.", ".0.value.");
    old[replaced(t, ".0.to_out.0.", ".0.proj_attn.")] = info;
  }
  EXPECT(!old.contains("encoder.mid_block.attentions.0.to_q.weight"));
  expect_same_index(ldm_vae(synthetic("s", old)).index, model.index, "old VAE");
}

TEST("one single file gives each component its own tensors and values") {
  TensorIndex file = original("unet15", "model.diffusion_model.");
  file.merge(original_vae_index("vae", "first_stage_model."));
  for (const auto& [name, info] : GoldenModel("text").index)  // an old merge: without text_model.
    file["cond_stage_model.transformer." + replaced(name, "text_model.", "")] = info;
  file["cond_stage_model.transformer.embeddings.position_ids"] = {DType::f32, {1, 77}};
  file["model_ema.diffusion_modelinput_blocks00weight"] = {DType::f32, {1}};
  file["betas"] = {DType::f32, {1000}};
  const TensorSource whole = synthetic("s", file);
  for (const Component c : {Component::unet, Component::vae, Component::text}) EXPECT(holds(file, c));
  EXPECT(!holds(file, Component::text2) && !holds(file, Component::controlnet));
  expect_same_index(ldm_unet(whole).index, GoldenModel("unet15").index, "UNet");
  expect_same_index(ldm_vae(whole).index, GoldenModel("vae").index, "VAE");
  expect_same_index(ldm_text(whole, 0).index, GoldenModel("text").index, "text encoder");
  EXPECT_EQ(tensor_values(ldm_unet(whole), "up_blocks.0.upsamplers.0.conv.weight"),
            tensor_values(whole, "model.diffusion_model.output_blocks.2.1.conv.weight"));
  EXPECT_EQ(tensor_values(ldm_vae(whole), "decoder.up_blocks.0.resnets.0.conv1.weight"),
            tensor_values(whole, "first_stage_model.decoder.up.3.block.0.conv1.weight"));
  EXPECT_CODE(ldm_text(whole, 1), Code::TENSOR_MISSING);
  EXPECT_CODE(ldm_unet(synthetic("s", original_vae_index("vae", ""))), Code::TENSOR_MISSING);
}

TEST("a training checkpoint's nesting is taken off") {
  TensorSource nested = synthetic("s", original("unet15", "state_dict.model.diffusion_model."));
  nested.nesting = "state_dict.";
  expect_same_index(ldm_unet(nested).index, GoldenModel("unet15").index, "nested");
}

TEST("a name that no module has stays visible") {
  TensorIndex file = original("unet15", "model.diffusion_model.");
  file["model.diffusion_model.extra.weight"] = {DType::f32, {3}};
  EXPECT(ldm_unet(synthetic("s", file)).index.contains("extra.weight"));
}

TEST("open_clip encoders become transformers' towers") {
  for (const char* model : {"text2", "true-clip-g"}) {
    const GoldenModel golden(model);
    TensorIndex file;
    for (const auto& [name, info] : open_clip(golden.index, "text_model."))
      file["conditioner.embedders.1.model." + name] = info;
    expect_same_index(ldm_text(synthetic("s", file), 1).index, golden.index, model);
  }
  for (const char* model : {"vision", "true-vision-h", "true-vision-g"}) {
    const GoldenModel golden(model);
    expect_same_index(transformers_vision(synthetic("s", open_clip(golden.index, "vision_model."))).index, golden.index,
                      model);
  }
}

TEST("open_clip's fused projections and transposed matrix hold the right numbers") {
  const GoldenModel golden("text2");
  const TensorSource file = synthetic("s", open_clip(golden.index, "text_model.")), read = transformers_text(file);
  expect_ranges(read);
  const std::vector<float> fused = tensor_values(file, "transformer.resblocks.1.attn.in_proj_weight");
  const std::vector<float> k = tensor_values(read, "text_model.encoder.layers.1.self_attn.k_proj.weight");
  EXPECT_EQ(k,
            std::vector(fused.begin() + static_cast<long>(k.size()), fused.begin() + static_cast<long>(2 * k.size())));
  const std::vector<float> p = tensor_values(file, "text_projection"),
                           q = tensor_values(read, "text_projection.weight");
  const size_t width = static_cast<size_t>(golden.index.at("text_projection.weight").dims[1]);
  const size_t out = p.size() / width;
  for (size_t i = 0; i < out; i += 7)
    for (size_t j = 0; j < width; j += 5) EXPECT_EQ(q[i * width + j], p[j * out + i]);
  // A re-saved file has it as a layer, not transposed.
  TensorIndex resaved = file.index;
  resaved.erase("text_projection");
  resaved["text_projection.weight"] = {DType::f32, golden.index.at("text_projection.weight").dims};
  const TensorSource again = synthetic("s", resaved);
  EXPECT_EQ(tensor_values(transformers_text(again), "text_projection.weight"),
            tensor_values(again, "text_projection.weight"));
}

TEST("transformers' towers are read with and without their prefix, out of a whole CLIP too") {
  const GoldenModel text("text2"), vision("vision");
  TensorIndex bare_text, bare_vision, whole;
  for (const auto& [name, info] : text.index) bare_text[replaced(name, "text_model.", "")] = info, whole[name] = info;
  for (const auto& [name, info] : vision.index)
    bare_vision[replaced(name, "vision_model.", "")] = info, whole[name] = info;
  whole["logit_scale"] = {DType::f32, {}};
  whole["vision_model.embeddings.position_ids"] = {DType::f32, {1, 17}};
  expect_same_index(transformers_text(synthetic("s", bare_text)).index, text.index, "bare text");
  expect_same_index(transformers_vision(synthetic("s", bare_vision)).index, vision.index, "bare vision");
  expect_same_index(transformers_text(synthetic("s", whole)).index, text.index, "text of a whole CLIP");
  expect_same_index(transformers_vision(synthetic("s", whole)).index, vision.index, "vision of a whole CLIP");
}

TEST("the original ControlNet names become diffusers' names") {
  for (const char* model : {"controlnet15", "controlnetxl", "true-controlnet15"}) {
    const GoldenModel golden(model);
    TensorIndex file;
    for (const auto& [name, info] : golden.index) {
      int k = 0, n = 0;
      std::string t;
      if (std::sscanf(name.c_str(), "controlnet_down_blocks.%d%n", &k, &n) == 1)
        t = "zero_convs." + std::to_string(k) + ".0" + name.substr(n);
      else if (std::sscanf(name.c_str(), "controlnet_cond_embedding.blocks.%d%n", &k, &n) == 1)
        t = "input_hint_block." + std::to_string(2 * k + 2) + name.substr(n);
      else if (name.starts_with("controlnet_"))
        t = replaced(replaced(replaced(name, "controlnet_cond_embedding.conv_in", "input_hint_block.0"),
                              "controlnet_cond_embedding.conv_out", "input_hint_block.14"),
                     "controlnet_mid_block", "middle_block_out.0");
      else
        t = original_unet(name, golden.index.contains("add_embedding.linear_1.weight"));
      file["control_model." + t] = info;
    }
    expect_same_index(ldm_controlnet(synthetic("s", file)).index, golden.index, model);
  }
}
