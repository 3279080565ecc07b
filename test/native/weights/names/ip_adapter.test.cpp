#include "weights/names/ip_adapter.h"

#include "models/adapters.h"
#include "models/golden_model.h"
#include "original_names.h"
#include "test.h"
#include "weights/synthetic.h"
#include "weights/tensor_values.h"

namespace {

using namespace ipa;
using namespace ipa::test;

CrossAttentions sites_of(const std::string& unet) {
  const GoldenModel model(unet);
  CrossAttentions sites;
  for (const AttentionSite& site : attention_sites(detect_unet(model.index, model.config)))
    sites[site.file_index] = site.path;
  return sites;
}

}  // namespace

TEST("an adapter's groups are found under every alias") {
  const GoldenModel model("ipa-faceid15");
  TensorIndex training;
  for (const auto& [name, info] : model.index)
    training[replaced(replaced(name, "image_proj.", "image_proj_model."), "ip_adapter.", "adapter_modules.")] = info;
  training["unet.conv_in.weight"] = {DType::f32, {4}};
  for (const TensorIndex& index : {training, model.index}) {
    const TensorSource file = synthetic("s", index), read = adapter_groups(file);
    EXPECT_EQ(read.index.size(), model.index.size());
    for (const auto& [name, info] : model.index) EXPECT(read.index.contains(name));
    EXPECT(detect_adapter(read.index).has_lora());
  }
  EXPECT_EQ(tensor_values(adapter_groups(synthetic("s", training)), "ip_adapter.31.to_v_ip.weight"),
            tensor_values(synthetic("s", training), "adapter_modules.31.to_v_ip.weight"));
}

TEST("an adapter's weights named by their place in the UNet are numbered as the authors do") {
  for (const char* unet : {"true-unet15", "true-unetxl"}) {
    const CrossAttentions sites = sites_of(unet);
    for (const std::string prefix : {"", "unet."})
      for (const std::string list : {"", "0."}) {
        TensorIndex index;
        index["image_proj_model.proj.weight"] = {DType::f32, {4}};
        index["unet.conv_in.weight"] = {DType::f32, {4}};
        for (const auto& [n, path] : sites) {
          index[prefix + path + ".processor.to_k_ip." + list + "weight"] = {DType::f32, {n, 2}};
          std::string self = path;
          self.back() = '1';
          index[prefix + self + ".processor.to_q_lora.down.weight"] = {DType::f32, {n, 3}};
        }
        const TensorIndex read = adapter_groups(synthetic("s", index)).index;
        EXPECT_EQ(read.size(), 2 * sites.size() + 1);
        EXPECT(read.contains("image_proj.proj.weight"));
        for (const auto& [n, path] : sites) {
          EXPECT_EQ(read.at("ip_adapter." + std::to_string(n) + ".to_k_ip.weight").dims, (Dims{n, 2}));
          EXPECT_EQ(read.at("ip_adapter." + std::to_string(n - 1) + ".to_q_lora.down.weight").dims, (Dims{n, 3}));
        }
      }
  }
}

TEST("an adapter's weights under both names are read by their numbers") {
  TensorIndex index;
  index["adapter_modules.1.to_k_ip.weight"] = {DType::f32, {5, 2}};
  index["unet.mid_block.attentions.0.transformer_blocks.0.attn2.processor.to_k_ip.weight"] = {DType::f32, {7, 2}};
  const TensorIndex read = adapter_groups(synthetic("s", index)).index;
  EXPECT_EQ(read.size(), size_t{1});
  EXPECT_EQ(read.at("ip_adapter.1.to_k_ip.weight").dims, (Dims{5, 2}));
}

TEST("an inner LoRA's number names its attention: down, up, then mid") {
  const CrossAttentions sd15 = sites_of("true-unet15"), sdxl = sites_of("true-unetxl");
  const auto target = [&](const CrossAttentions& sites, const std::string& name) {
    return adapter_lora_target("ip_adapter." + name, sites);
  };
  EXPECT_EQ(target(sd15, "0.to_q_lora.down.weight"),
            "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight");
  EXPECT_EQ(target(sd15, "1.to_v_lora.up.weight"), "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_v.weight");
  EXPECT_EQ(target(sd15, "12.to_out_lora.up.weight"),
            "up_blocks.1.attentions.0.transformer_blocks.0.attn1.to_out.0.weight");
  EXPECT_EQ(target(sd15, "31.to_k_lora.down.weight"), "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight");
  EXPECT_EQ(target(sdxl, "30.to_q_lora.down.weight"),
            "down_blocks.2.attentions.1.transformer_blocks.1.attn1.to_q.weight");
  EXPECT_EQ(target(sdxl, "119.to_q_lora.down.weight"),
            "up_blocks.1.attentions.2.transformer_blocks.1.attn2.to_q.weight");
  EXPECT_EQ(target(sdxl, "138.to_q_lora.down.weight"), "mid_block.attentions.0.transformer_blocks.9.attn1.to_q.weight");
  EXPECT_EQ(target(sd15, "32.to_q_lora.down.weight"), "");
  EXPECT_EQ(target(sd15, "1.to_k_ip.weight"), "");
  EXPECT_EQ(target(sd15, "x.to_q_lora.down.weight"), "");
}
