// A component written in the original names: the published layout to the letter, and the same numbers when read again.
#include "models/golden_model.h"
#include "original_names.h"
#include "ranges.h"
#include "test.h"
#include "weights/names/ldm.h"
#include "weights/names/transformers.h"
#include "weights/rename.h"
#include "weights/synthetic.h"
#include "weights/tensor_values.h"

namespace {

using namespace ipa;
using namespace ipa::test;

TensorSource golden(const std::string& model) { return synthetic(model, GoldenModel(model).index); }

void expect_dims(const TensorSource& source, const std::string& name, const Dims& dims) {
  const auto at = source.index.find(name);
  if (at == source.index.end()) return failed(__FILE__, __LINE__, name + " is missing");
  EXPECT_EQ(text(at->second.dims), text(dims));
}

void expect_same_numbers(const TensorSource& found, const TensorSource& expected) {
  EXPECT_EQ(found.index.size(), expected.index.size());
  for (const auto& [name, info] : expected.index) {
    expect_dims(found, name, info.dims);
    EXPECT(tensor_values(found, name) == tensor_values(expected, name));
  }
}

}  // namespace

TEST("a UNet is written in the original names, all of them, and read back") {
  for (const std::string model : {"unet15", "unet15-inpaint", "unetxl", "true-unet15", "true-unetxl"}) {
    const TensorSource own = golden(model);
    const bool sdxl = own.index.contains("add_embedding.linear_1.weight");
    const TensorSource ldm = as_ldm(own, Component::unet, sdxl);
    EXPECT_EQ(ldm.index.size(), own.index.size());
    for (const auto& [name, info] : own.index)
      expect_dims(ldm, "model.diffusion_model." + original_unet(name, sdxl), info.dims);
    if (!model.starts_with("true")) expect_same_numbers(ldm_unet(ldm), own);
  }
}

// Names and shapes as the published files have them.
TEST("spots of the published layouts") {
  const TensorSource unet = as_ldm(golden("true-unet15"), Component::unet, false);
  expect_dims(unet, "model.diffusion_model.time_embed.0.weight", {1280, 320});
  expect_dims(unet, "model.diffusion_model.input_blocks.0.0.weight", {320, 4, 3, 3});
  expect_dims(unet, "model.diffusion_model.input_blocks.3.0.op.weight", {320, 320, 3, 3});
  expect_dims(unet, "model.diffusion_model.input_blocks.4.0.skip_connection.weight", {640, 320, 1, 1});
  expect_dims(unet, "model.diffusion_model.output_blocks.2.1.conv.weight", {1280, 1280, 3, 3});
  expect_dims(unet, "model.diffusion_model.output_blocks.5.2.conv.weight", {1280, 1280, 3, 3});
  expect_dims(unet, "model.diffusion_model.output_blocks.11.1.transformer_blocks.0.attn2.to_k.weight", {320, 768});
  expect_dims(unet, "model.diffusion_model.out.2.weight", {4, 320, 3, 3});
  const TensorSource xl = as_ldm(golden("true-unetxl"), Component::unet, true);
  EXPECT_EQ(xl.index.size(), size_t{1680});
  expect_dims(xl, "model.diffusion_model.label_emb.0.0.weight", {1280, 2816});
  expect_dims(xl, "model.diffusion_model.input_blocks.8.1.transformer_blocks.9.attn2.to_v.weight", {1280, 2048});
  expect_dims(xl, "model.diffusion_model.output_blocks.2.2.conv.weight", {1280, 1280, 3, 3});
}

TEST("a VAE is written with 1x1 convolutions in its attention and read back with linear layers") {
  for (const std::string model : {"vae", "vaexl"}) {
    const TensorSource own = golden(model), ldm = as_ldm(own, Component::vae, false);
    const int64_t wide = own.index.at("encoder.mid_block.attentions.0.to_q.weight").dims[0];
    expect_dims(ldm, "first_stage_model.encoder.mid.attn_1.q.weight", {wide, wide, 1, 1});
    expect_dims(ldm, "first_stage_model.decoder.mid.attn_1.proj_out.weight", {wide, wide, 1, 1});
    expect_dims(ldm, "first_stage_model.decoder.mid.attn_1.norm.weight", {wide});
    EXPECT(ldm.index.contains("first_stage_model.decoder.norm_out.weight"));
    EXPECT(ldm.index.contains("first_stage_model.quant_conv.weight"));
    expect_same_numbers(ldm_vae(ldm), own);
  }
}

TEST("text encoders are written under the prefix of their family, the second in open_clip's names") {
  const TensorSource first = golden("text");
  for (const bool sdxl : {false, true}) {
    const TensorSource ldm = as_ldm(first, Component::text, sdxl);
    const std::string prefix = sdxl ? "conditioner.embedders.0.transformer." : "cond_stage_model.transformer.";
    EXPECT(ldm.index.contains(prefix + "text_model.embeddings.token_embedding.weight"));
    expect_same_numbers(ldm_text(ldm, 0), first);
  }
  const TensorSource own = golden("text2"), ldm = as_ldm(own, Component::text2, true);
  const Dims projection = own.index.at("text_projection.weight").dims;
  const int64_t width = projection[1];
  const std::string at = "conditioner.embedders.1.model.";
  expect_dims(ldm, at + "transformer.resblocks.0.attn.in_proj_weight", {3 * width, width});
  expect_dims(ldm, at + "transformer.resblocks.1.attn.in_proj_bias", {3 * width});
  expect_dims(ldm, at + "transformer.resblocks.0.mlp.c_fc.weight", {4 * width, width});
  expect_dims(ldm, at + "text_projection", {width, projection[0]});
  EXPECT(ldm.index.contains(at + "positional_embedding"));
  EXPECT(ldm.index.contains(at + "token_embedding.weight"));
  EXPECT(ldm.index.contains(at + "ln_final.bias"));
  expect_ranges(ldm);
  expect_same_numbers(ldm_text(ldm, 1), own);
}

TEST("joined rows of several types are f32, and rows of other lengths are refused") {
  TensorSource source = synthetic("j", {{"q", {DType::f32, {2, 3}}}, {"k", {DType::f32, {1, 3}}}, {"x", {}}});
  const std::vector<float> q = tensor_values(source, "q"), k = tensor_values(halved(source), "k");
  const TensorSource half = halved(source);
  TensorSource mixed = source;
  mixed.index["k"].dtype = DType::f16;
  mixed.read = [&](const std::string& name, uint64_t first, std::span<std::byte> out) {
    (name == "k" ? half : source).read(name, first, out);
  };
  const TensorSource whole = joined(mixed, {{"qk", {"q", "k"}}});
  EXPECT_EQ(whole.index.size(), size_t{2});
  EXPECT_EQ(whole.index.at("qk").dims, (Dims{3, 3}));
  std::vector<float> expected = q;
  expected.insert(expected.end(), k.begin(), k.end());
  EXPECT_EQ(tensor_values(whole, "qk"), expected);
  expect_ranges(whole);
  source.index["k"].dims = {1, 4};
  EXPECT_CODE(joined(source, {{"qk", {"q", "k"}}}), Code::TENSOR_SHAPE);
  EXPECT_CODE(joined(source, {{"qk", {"q", "v"}}}), Code::TENSOR_MISSING);
}
