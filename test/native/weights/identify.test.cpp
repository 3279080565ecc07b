#include "weights/identify.h"

#include "io/open.h"
#include "models/golden_model.h"
#include "names/original_names.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

std::string found(const TensorIndex& index) {
  const FileIdentity file = identify(index);
  return std::string(kind_text(file.kind)) + (file.family.empty() ? "" : " " + file.family) +
         (file.loads ? "" : " (refused)");
}

TensorIndex single_file(const std::string& unet, bool sdxl, bool encoders = true) {
  TensorIndex out;
  for (const auto& [name, info] : GoldenModel(unet).index)
    out["model.diffusion_model." + original_unet(name, sdxl)] = info;
  if (encoders)
    for (const auto& [name, info] : GoldenModel("text").index)
      out[(sdxl ? "conditioner.embedders.0.transformer." : "cond_stage_model.transformer.") + name] = info;
  return out;
}

TensorIndex with(TensorIndex index, const std::string& name, const Dims& dims) {
  index[name].dims = dims;
  return index;
}

}  // namespace

TEST("a file is known by its tensors") {
  EXPECT_EQ(found(single_file("true-unet15", false)), "Stable Diffusion checkpoint SD1.5");
  EXPECT_EQ(found(single_file("true-unetxl", true)), "SDXL checkpoint SDXL");
  EXPECT_EQ(found(single_file("unet15", false)), "Stable Diffusion checkpoint");
  EXPECT_EQ(found(single_file("true-unet15", false, false)), "UNet SD1.5");
  EXPECT_EQ(found(GoldenModel("true-unetxl").index), "UNet SDXL");
  EXPECT_EQ(found(GoldenModel("unetxl").index), "UNet");
  EXPECT_EQ(found(GoldenModel("vae").index), "VAE");
  EXPECT_EQ(found(GoldenModel("text").index), "text encoder");
  EXPECT_EQ(found(open_clip(GoldenModel("text2").index, "text_model.")), "text encoder");
  EXPECT_EQ(found(GoldenModel("vision").index), "image encoder");
  EXPECT_EQ(found(open_clip(GoldenModel("vision").index, "vision_model.")), "image encoder");
  EXPECT_EQ(found(GoldenModel("ipa-faceid15").index), "IP-Adapter");
  EXPECT_EQ(found(with({}, "ip_adapter.1.to_k_ip.weight", {640, 2048})), "IP-Adapter SDXL");
  EXPECT_EQ(found(GoldenModel("true-controlnet15").index), "ControlNet SD1.5");
  EXPECT_EQ(found(GoldenModel("controlnetxl").index), "ControlNet");
  EXPECT_EQ(found(GoldenModel("t2i-full").index), "T2I-Adapter");
  EXPECT_EQ(found(with({}, "<cat-toy>", {768})), "text embedding SD1.5");
  EXPECT_EQ(found(with({}, "string_to_param.*", {4, 1024})), "text embedding SD2.x (refused)");
  EXPECT_EQ(found(with({}, "emb_params", {1, 128})), "text embedding");
  EXPECT_EQ(found(with(with({}, "clip_l", {2, 768}), "clip_g", {2, 1280})), "text embedding SDXL");
  EXPECT_EQ(found(with({}, "tensor", {3, 1024})), "unknown");  // image embeds
  EXPECT_EQ(found(with({}, "something.weight", {3, 768})), "unknown");
  EXPECT_EQ(found(with({}, "something.weight", {3})), "unknown");
}

TEST("every LoRA file is known as one") {
  int files = 0;
  for (const std::string& name : golden_names("lora", "")) {
    if (!name.ends_with(".file")) continue;
    EXPECT_EQ(kind_text(identify(open_weights((golden_folder() / (name + ".safetensors")).string()).index).kind),
              std::string("LoRA"));
    ++files;
  }
  EXPECT(files >= 10);
  EXPECT_EQ(found(with({}, "lora_unet_down_blocks_1_attentions_1_transformer_blocks_0_attn2_to_k.lora_down.weight",
                       {4, 768})),
            "LoRA SD1.5");
  EXPECT_EQ(found(with({}, "unet.up_blocks.1.attentions.1.transformer_blocks.0.attn2.to_k.lora_A.weight", {4, 2048})),
            "LoRA SDXL");
  const std::string reads_text = "lora_unet_middle_block_1_transformer_blocks_0_attn2_to_k";
  EXPECT_EQ(found(with({}, reads_text + ".hada_w1_b", {4, 2048})), "LoRA SDXL");
  EXPECT_EQ(found(with({}, reads_text + ".diff", {1280, 768})), "LoRA SD1.5");
  EXPECT_EQ(found(with({}, reads_text + ".lokr_w1", {4, 2048})), "LoRA");
}

TEST("families that cannot be loaded are named") {
  const TensorIndex sd15 = single_file("true-unet15", false);
  const std::string conv = "model.diffusion_model.input_blocks.0.0.weight";
  const std::string middle = "middle_block.1.transformer_blocks.0.attn2.to_k.weight";
  EXPECT_EQ(found(with(sd15, conv, {320, 8, 3, 3})), "Stable Diffusion checkpoint InstructPix2Pix (refused)");
  EXPECT_EQ(found(with(sd15, conv, {320, 9, 3, 3})), "Stable Diffusion checkpoint SD1.5");
  EXPECT_EQ(found(with(sd15, "model.diffusion_model." + middle, {1280, 1024})),
            "Stable Diffusion checkpoint SD2.x (refused)");
  EXPECT_EQ(found(with(sd15, "cond_stage_model.model.ln_final.weight", {1024})),
            "Stable Diffusion checkpoint SD2.x (refused)");
  EXPECT_EQ(found(with({}, "conditioner.embedders.0.model.transformer.resblocks.9.mlp.c_proj.bias", {1280})),
            "SDXL checkpoint SDXL refiner (refused)");
  EXPECT_EQ(found(with(single_file("true-unetxl", true), "edm_mean", {4})),
            "SDXL checkpoint Playground v2.5 (refused)");
  EXPECT_EQ(found(with({}, "model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight", {3, 3})),
            "UNet SD3 (refused)");
  EXPECT_EQ(found(with({}, "double_blocks.0.img_attn.qkv.weight", {3, 3})), "UNet FLUX (refused)");
  EXPECT_EQ(found(with(GoldenModel("true-unetxl").index, "encoder_hid_proj.weight", {2048, 4096})),
            "UNet Kolors (refused)");
  EXPECT_EQ(found(with({}, "pulid_encoder.proj_out", {3, 3})), "IP-Adapter PuLID (refused)");
  EXPECT_CODE(require_loadable(with({}, "pulid_encoder.proj_out", {3, 3}), "f"), Code::ADAPTER_UNKNOWN);
  EXPECT_CODE(require_loadable(with({}, "double_blocks.0.img_attn.qkv.weight", {3, 3}), "f"),
              Code::MODEL_FORMAT_UNSUPPORTED);
  require_loadable(sd15, "f");
}
