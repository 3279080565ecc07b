// What a file is, by its tensors: sites against the specification's tables, variants, mismatches and their words.
#include "models/adapters.h"

#include <string>

#include "golden_model.h"
#include "models/configs.h"
#include "models/unet.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

UNetConfig unet_of(const std::string& prefix) {
  const GoldenModel model(prefix);
  return detect_unet(model.index, model.config);
}

void expect_site(const std::vector<AttentionSite>& sites, int file_index, const std::string& block, int width,
                 int t_idx, int level) {
  for (const AttentionSite& site : sites) {
    if (site.file_index != file_index) continue;
    EXPECT_EQ(site.path, block + ".attn2");
    EXPECT_EQ(site.width, width);
    EXPECT_EQ(site.t_idx, t_idx);
    EXPECT_EQ(site.level, level);
    return;
  }
  failed(__FILE__, __LINE__, "no site has file index " + std::to_string(file_index));
}

// An adapter file of true size: pairs for `base`, projector of `projector`.
TensorIndex adapter_file(const UNetConfig& base, const std::string& projector) {
  TensorIndex index;
  for (const auto& [name, info] : GoldenModel(projector + "/image_proj").index) index["image_proj." + name] = info;
  for (const AttentionSite& site : attention_sites(base))
    for (const char* kind : {"k", "v"})
      index["ip_adapter." + std::to_string(site.file_index) + ".to_" + kind + "_ip.weight"].dims = {site.width,
                                                                                                    base.context};
  return index;
}

void add_lora(TensorIndex& index, int rank) { index["ip_adapter.0.to_q_lora.down.weight"].dims = {rank, 320}; }

std::string message(const auto& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST("attention sites of SD1.5 stand where the files have them") {
  const std::vector<AttentionSite> sites = attention_sites(unet_of("true-unet15"));
  EXPECT_EQ(sites.size(), size_t{16});
  expect_site(sites, 1, "down_blocks.0.attentions.0.transformer_blocks.0", 320, 0, 0);
  expect_site(sites, 11, "down_blocks.2.attentions.1.transformer_blocks.0", 1280, 5, 2);
  expect_site(sites, 13, "up_blocks.1.attentions.0.transformer_blocks.0", 1280, 7, 2);
  expect_site(sites, 29, "up_blocks.3.attentions.2.transformer_blocks.0", 320, 15, 0);
  expect_site(sites, 31, "mid_block.attentions.0.transformer_blocks.0", 1280, 6, 3);
  int sum = 0;
  for (const AttentionSite& site : sites) sum += site.width;
  EXPECT_EQ(sum, 12480);
}

TEST("attention sites of SDXL stand where the files have them") {
  const std::vector<AttentionSite> sites = attention_sites(unet_of("true-unetxl"));
  EXPECT_EQ(sites.size(), size_t{70});
  expect_site(sites, 7, "down_blocks.1.attentions.1.transformer_blocks.1", 640, 1, 1);
  expect_site(sites, 29, "down_blocks.2.attentions.1.transformer_blocks.0", 1280, 3, 2);
  expect_site(sites, 87, "up_blocks.0.attentions.1.transformer_blocks.9", 1280, 6, 2);
  expect_site(sites, 119, "up_blocks.1.attentions.2.transformer_blocks.1", 640, 10, 1);
  expect_site(sites, 121, "mid_block.attentions.0.transformer_blocks.0", 1280, 4, 2);
  expect_site(sites, 139, "mid_block.attentions.0.transformer_blocks.9", 1280, 4, 2);
  int sum = 0;
  for (const AttentionSite& site : sites) sum += site.width;
  EXPECT_EQ(sum, 83200);
}

TEST("sites are listed in the order in which a UNet asks for them") {
  for (const char* prefix : {"unet15", "unetxl"}) {
    const UNetConfig u = unet_of(prefix);
    Builder b;
    Conditioning c;
    c.image_prompts = {{4, false}};
    record_unet(b, u, 8, 8, c);
    const Plan plan = b.finish();
    const std::vector<AttentionSite> sites = attention_sites(u);
    std::vector<int> cells;
    for (const Node& node : plan.nodes)
      if (const auto* op = std::get_if<AddScaled>(&node.op)) {
        EXPECT(node.path.starts_with(sites.at(op->cell).path));
        cells.push_back(op->cell);
      }
    EXPECT_EQ(cells.size(), sites.size());
  }
}

TEST("a variant is known by its tensors") {
  struct Row {
    const char* projector;
    const char* base;
    bool lora;
    const char* variant;
    int tokens;
    EncoderOutput encoder;
    int encoder_width, identity_width;
    AdapterFamily family;
  };
  using enum EncoderOutput;
  using enum AdapterFamily;
  const Row rows[] = {
      {"ipa-true-sd15-base", "true-unet15", false, "base", 4, image_embeds, 1024, 0, sd15},
      {"ipa-true-sd15-vit-g", "true-unet15", false, "base", 4, image_embeds, 1280, 0, sd15},
      {"ipa-true-sd15-plus", "true-unet15", false, "plus", 16, penultimate, 1280, 0, sd15},
      {"ipa-true-sd15-full-face", "true-unet15", false, "full-face", 0, penultimate, 1280, 0, sd15},
      {"ipa-true-sd15-faceid", "true-unet15", true, "faceid", 4, none, 0, 512, sd15},
      {"ipa-true-sd15-faceid-plus", "true-unet15", true, "faceid-plus", 4, penultimate, 1280, 512, sd15},
      {"ipa-true-sd15-portrait", "true-unet15", false, "faceid-portrait", 16, none, 0, 512, sd15},
      {"ipa-true-sdxl-base", "true-unetxl", false, "base", 4, image_embeds, 1280, 0, sdxl},
      {"ipa-true-sdxl-vit-h", "true-unetxl", false, "base", 4, image_embeds, 1024, 0, sdxl},
      {"ipa-true-sdxl-plus-vit-h", "true-unetxl", false, "plus", 16, penultimate, 1280, 0, sdxl},
      {"ipa-true-sdxl-plus-vit-g", "true-unetxl", false, "plus", 16, penultimate, 1664, 0, sdxl},
      {"ipa-true-sdxl-faceid", "true-unetxl", true, "faceid", 4, none, 0, 512, sdxl},
      {"ipa-true-sdxl-faceid-plusv2", "true-unetxl", true, "faceid-plus", 4, penultimate, 1280, 512, sdxl},
      {"ipa-true-sdxl-portrait", "true-unetxl", false, "faceid-portrait", 16, none, 0, 512, sdxl},
      {"ipa-true-sdxl-portrait-unnorm", "true-unetxl", false, "portrait-unnorm", 16, penultimate, 512, 512, sdxl},
      {"ipa-true-kolors-plus", "true-unetxl", false, "kolors-plus", 16, penultimate, 1024, 0, kolors},
  };
  for (const Row& row : rows) {
    const UNetConfig base = unet_of(row.base);
    TensorIndex index = adapter_file(base, row.projector);
    if (row.lora) add_lora(index, 128);
    const AdapterInfo a = detect_adapter(index, row.projector);
    EXPECT_EQ(std::string(variant_text(a)), row.variant);
    EXPECT_EQ(a.tokens, row.tokens);
    EXPECT(a.encoder == row.encoder);
    EXPECT_EQ(a.encoder_width, row.encoder_width);
    EXPECT_EQ(a.identity_width, row.identity_width);
    EXPECT(a.family == row.family);
    EXPECT_EQ(a.lora_rank, row.lora ? 128 : 0);
    EXPECT_EQ(a.widths.size(), attention_sites(base).size());
    if (row.family == kolors)
      EXPECT_CODE(check_fit(a, base), Code::ADAPTER_BASE_MISMATCH);
    else
      check_fit(a, base);
  }
}

TEST("an adapter of another base is refused with both bases named") {
  const AdapterInfo sd15 = detect_adapter(adapter_file(unet_of("true-unet15"), "ipa-true-sd15-base"));
  EXPECT_CODE(check_fit(sd15, unet_of("true-unetxl")), Code::ADAPTER_BASE_MISMATCH);
  const std::string text = message([&] { check_fit(sd15, unet_of("true-unetxl"), "a.bin"); });
  for (const char* part : {"a.bin", "SD1.5", "768", "SDXL", "2048"}) EXPECT(text.find(part) != std::string::npos);
  // Same counts and context width, one width off: the site is named.
  UNetConfig wide = unet_of("true-unet15");
  wide.levels[1].width = 704;
  EXPECT(message([&] { check_fit(sd15, wide); }).find("ip_adapter.5") != std::string::npos);
}

TEST("what is no adapter is told what it is") {
  EXPECT_CODE(detect_adapter({}), Code::ADAPTER_UNKNOWN);
  EXPECT_CODE(detect_adapter({{"conv_in.weight", {}}}), Code::ADAPTER_UNKNOWN);
  const TensorIndex lora = {{"lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight", {}}};
  EXPECT(message([&] { detect_adapter(lora); }).find("companion LoRA") != std::string::npos);
  TensorIndex pulid = adapter_file(unet_of("true-unet15"), "ipa-true-sd15-base");
  pulid["image_proj.mapping_0.0.weight"].dims = {1, 1};
  EXPECT(message([&] { detect_adapter(pulid); }).find("PuLID") != std::string::npos);
  TensorIndex other = adapter_file(unet_of("true-unet15"), "ipa-true-sd15-base");
  std::erase_if(other, [](const auto& item) { return item.first.starts_with("image_proj."); });
  other["image_proj.glow.weight"].dims = {1, 1};
  EXPECT(message([&] { detect_adapter(other); }).find("image_proj.glow.weight") != std::string::npos);
}

TEST("a missing or odd tensor is named, whichever it is") {
  for (const char* projector : {"ipa-true-sd15-base", "ipa-true-sd15-plus", "ipa-true-sd15-full-face",
                                "ipa-true-sd15-faceid", "ipa-true-sd15-faceid-plus"}) {
    const TensorIndex whole = adapter_file(unet_of("true-unet15"), projector);
    for (const auto& [name, info] : whole) {
      TensorIndex index = whole;
      index.erase(name);
      // Detection need not ask for every tensor; what it refuses must be for this one.
      const std::string text = message([&] { detect_adapter(index); });
      if (!text.empty() && text.find(name) == std::string::npos) failed(__FILE__, __LINE__, name + " gone: " + text);
      index = whole;
      index[name].dims.push_back(3);
      const std::string odd = message([&] { detect_adapter(index); });
      if (!odd.empty() && odd.find(name) == std::string::npos) failed(__FILE__, __LINE__, name + " odd: " + odd);
    }
  }
}

TEST("bases of other families are refused by name") {
  const GoldenModel model("true-unet15");
  TensorIndex pix2pix = model.index;
  pix2pix["conv_in.weight"].dims = {320, 8, 3, 3};
  EXPECT(message([&] { detect_unet(pix2pix); }).find("InstructPix2Pix") != std::string::npos);
  TensorIndex sd2 = model.index;
  sd2["mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight"].dims = {1280, 1024};
  EXPECT_CODE(detect_unet(sd2), Code::MODEL_FORMAT_UNSUPPORTED);
  EXPECT_CODE(detect_unet({}), Code::TENSOR_MISSING);
  ConfigFacts bad;
  bad.numbers["attention_head_dim"] = {7};
  EXPECT_CODE(detect_unet(model.index, bad), Code::MODEL_FORMAT_UNSUPPORTED);
  bad.numbers["attention_head_dim"] = {5, 10};
  EXPECT_CODE(detect_unet(model.index, bad), Code::MODEL_FORMAT_UNSUPPORTED);
}

TEST("configs without config.json are those of the public models") {
  const UNetConfig sd = detect_unet(GoldenModel("true-unet15").index),
                   xl = detect_unet(GoldenModel("true-unetxl").index);
  EXPECT_EQ(sd.levels[2].heads, 8);
  EXPECT_EQ(xl.levels[1].heads, 10);
  EXPECT_EQ(xl.levels[2].heads, 20);
  EXPECT_EQ(xl.levels[2].transformers, 10);
  EXPECT_EQ(xl.pooled_width, 1280);
  EXPECT(xl.linear_projection && !sd.linear_projection);
  const ClipVisionConfig h = detect_clip_vision(GoldenModel("true-vision-h").index);
  EXPECT_EQ(h.image, 224);
  EXPECT_EQ(h.heads, 16);
  EXPECT(h.activation == Activation::gelu);
  EXPECT(detect_clip_text(GoldenModel("true-clip-l").index).activation == Activation::quick_gelu);
}
