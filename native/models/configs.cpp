#include "models/configs.h"

#include <cmath>

#include "core/error.h"
#include "models/shape_reader.h"

namespace ipa {

double ConfigFacts::number(std::string_view key, double otherwise) const {
  const auto at = numbers.find(key);
  return at == numbers.end() || at->second.empty() ? otherwise : at->second[0];
}

std::string ConfigFacts::text(std::string_view key, std::string_view otherwise) const {
  const auto at = texts.find(key);
  return at == texts.end() ? std::string(otherwise) : at->second;
}

namespace {

std::string numbered(std::string_view start, int i, std::string_view end = "") {
  return std::string(start) + std::to_string(i) + std::string(end);
}

[[noreturn]] void unsupported(const std::string& message) {
  fail(Code::MODEL_FORMAT_UNSUPPORTED, message,
       "bases that load: Stable Diffusion 1.5 and SDXL base, their inpainting forms, and models of their topology");
}

// A value of config.json that our networks have built in.
void require(const ConfigFacts& facts, std::string_view key, double value) {
  if (facts.number(key, value) != value)
    unsupported("config.json has " + std::string(key) + " " + std::to_string(facts.number(key, value)) + ", only " +
                std::to_string(value) + " is supported");
}
void require(const ConfigFacts& facts, std::string_view key, std::string_view value) {
  if (facts.text(key, value) != value)
    unsupported("config.json has " + std::string(key) + " " + quoted(facts.text(key, value)) + ", only " +
                quoted(value) + " is supported");
}

// A divisor of the channels: heads, groups.
int divisor(std::string_view key, double value, int channels) {
  if (!(value >= 1 && value <= channels) || value != std::floor(value) || channels % static_cast<int>(value))
    unsupported("config.json: " + std::string(key) + " " + std::to_string(value) + " does not divide " +
                std::to_string(channels) + " channels");
  return static_cast<int>(value);
}

// A count that config.json gives and nothing else bounds.
int whole(const ConfigFacts& facts, std::string_view key, int otherwise) {
  const double value = facts.number(key, otherwise);
  if (!(value >= 1 && value <= 65536) || value != std::floor(value))
    unsupported("config.json: " + std::string(key) + " is " + std::to_string(value));
  return static_cast<int>(value);
}

Activation activation(const ConfigFacts& facts, Activation otherwise) {
  const std::string act = facts.text("hidden_act", otherwise == Activation::gelu ? "gelu" : "quick_gelu");
  if (act == "gelu") return Activation::gelu;
  if (act == "quick_gelu") return Activation::quick_gelu;
  unsupported("config.json has hidden_act " + quoted(act) + ", only \"gelu\" and \"quick_gelu\" are supported");
}

// trap: in UNet configs `attention_head_dim` holds the number of heads. Without a config: SD1.5 has 8 everywhere,
// models with linear projections (SDXL) have heads of 64.
int unet_heads(const ConfigFacts& facts, const UNetConfig& u, int level) {
  const std::string_view key =
      facts.numbers.contains("num_attention_heads") ? "num_attention_heads" : "attention_head_dim";
  const int width = u.levels[level].width;
  const auto at = facts.numbers.find(key);
  if (at == facts.numbers.end() || at->second.empty())
    return divisor("heads", u.linear_projection ? std::max(1, width / 64) : 8, width);
  const std::vector<double>& list = at->second;
  if (list.size() != 1 && list.size() != u.levels.size())
    unsupported("config.json: " + std::string(key) + " has " + std::to_string(list.size()) + " entries for " +
                std::to_string(u.levels.size()) + " levels");
  return divisor(key, list.size() == 1 ? list[0] : list[level], width);
}

void refuse_other_families(const UNetConfig& u, bool added_conditioning) {
  const bool sd_widths = u.levels[0].width == 320;
  if (u.in_channels == 8) unsupported("this is an InstructPix2Pix UNet (8 input channels)");
  if (sd_widths && u.context == 1024 && !added_conditioning)
    unsupported("this is a Stable Diffusion 2.x UNet (text width 1024)");
  if (u.levels[0].width == 384 && u.context == 1280) unsupported("this is the SDXL refiner's UNet");
  if (u.in_channels != 4 && u.in_channels != 9)
    unsupported("the UNet has " + std::to_string(u.in_channels) +
                " input channels; 4 and 9 (inpainting) are supported");
}

// All but what only a decoder has.
UNetConfig detect_encoder(const ShapeReader& r, const TensorIndex& index, const ConfigFacts& facts) {
  UNetConfig u;
  u.in_channels = r.dim("conv_in.weight", 4, 1);
  const int depth = r.count("down_blocks.", ".resnets.0.conv1.weight");
  if (depth == 0) r.dims("down_blocks.0.resnets.0.conv1.weight", 4);
  u.layers = r.count("down_blocks.0.resnets.", ".conv1.weight");
  for (int i = 0; i < depth; ++i) {
    const std::string block = numbered("down_blocks.", i);
    u.levels.push_back({r.dim(block + ".resnets.0.conv1.weight", 4, 0),
                        r.count(block + ".attentions.0.transformer_blocks.", ".norm1.weight")});
  }
  u.mid_transformers = r.count("mid_block.attentions.0.transformer_blocks.", ".norm1.weight");
  if (u.mid_transformers == 0) unsupported("the UNet's middle block has no cross-attention");
  u.context = r.dim("mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight", 2, 1);
  const auto proj_in = index.find("mid_block.attentions.0.proj_in.weight");
  u.linear_projection = proj_in != index.end() && proj_in->second.dims.size() == 2;
  u.time_width = r.dim("time_embedding.linear_1.weight", 2, 0);
  if (r.has("time_embedding.cond_proj.weight")) u.guidance_width = r.dim("time_embedding.cond_proj.weight", 2, 1);
  refuse_other_families(u, r.has("add_embedding.linear_1.weight"));
  if (r.has("add_embedding.linear_1.weight")) {
    u.time_ids = 6;  // heights, widths, crop: original 2, crop 2, target 2
    u.time_id_width = whole(facts, "addition_time_embed_dim", 256);
    u.pooled_width = r.dim("add_embedding.linear_1.weight", 2, 1) - u.time_ids * u.time_id_width;
    if (u.pooled_width <= 0 || u.time_id_width % 2)
      unsupported("the added conditioning is no pooled text beside six numbers of width " +
                  std::to_string(u.time_id_width));
  }
  require(facts, "flip_sin_to_cos", 1);
  require(facts, "freq_shift", 0);
  require(facts, "center_input_sample", 0);
  require(facts, "mid_block_scale_factor", 1);
  require(facts, "downsample_padding", 1);
  require(facts, "act_fn", "silu");
  require(facts, "resnet_time_scale_shift", "default");
  u.eps = static_cast<float>(facts.number("norm_eps", 1e-5));
  u.groups = whole(facts, "norm_num_groups", 32);
  for (int i = 0; i < depth; ++i) {
    divisor("norm_num_groups", u.groups, u.levels[i].width);
    if (u.levels[i].transformers > 0 || i + 1 == depth) u.levels[i].heads = unet_heads(facts, u, i);
  }
  if (u.levels[0].width % 2) unsupported("an odd number of channels at the first level");
  return u;
}

}  // namespace

UNetConfig detect_unet(const TensorIndex& index, const ConfigFacts& facts) {
  const ShapeReader r(index, "", "a UNet");
  const int out_channels = r.dim("conv_out.weight", 4, 0);
  UNetConfig u = detect_encoder(r, index, facts);
  u.out_channels = out_channels;
  return u;
}

ControlNetConfig detect_controlnet(const TensorIndex& index, const ConfigFacts& facts) {
  const ShapeReader r(index, "", "a ControlNet");
  const std::string hint = "controlnet_cond_embedding.";
  ControlNetConfig c;
  c.image_channels = r.dim(hint + "conv_in.weight", 4, 1);
  c.hint.push_back(r.dim(hint + "conv_in.weight", 4, 0));
  const int blocks = r.count(hint + "blocks.", ".weight");
  if (blocks % 2 || blocks > 10)
    unsupported("the hint network has " + std::to_string(blocks) + " inner convolutions, no pairs of them");
  for (int i = 1; i < blocks; i += 2) c.hint.push_back(r.dim(numbered(hint + "blocks.", i, ".weight"), 4, 0));
  if (c.image_channels != 3)
    unsupported("the ControlNet reads pictures of " + std::to_string(c.image_channels) +
                " channels, only 3 are supported");
  c.unet = detect_encoder(r, index, facts);
  c.global_pool = facts.number("global_pool_conditions", 0) != 0;
  const std::string order = facts.text("controlnet_conditioning_channel_order", "rgb");
  if (order != "rgb" && order != "bgr")
    unsupported("config.json has controlnet_conditioning_channel_order " + quoted(order));
  c.reversed_channels = order == "bgr";
  return c;
}

T2iAdapterConfig detect_t2i_adapter(const TensorIndex& index, const ConfigFacts&) {
  const ShapeReader r(index, "adapter.", "a T2I-Adapter");
  T2iAdapterConfig t;
  t.light = !r.has("conv_in.weight");
  const int channels = t.light ? r.dim("body.0.in_conv.weight", 4, 1) : r.dim("conv_in.weight", 4, 1);
  t.unshuffle = channels == 3 * 64 || channels == 64 ? 8 : 16;
  t.image_channels = channels / (t.unshuffle * t.unshuffle);
  if (channels % (t.unshuffle * t.unshuffle) || (t.image_channels != 1 && t.image_channels != 3))
    unsupported("the T2I-Adapter reads " + std::to_string(channels) +
                " channels; pictures of 1 or 3 channels by places of 8x8 or 16x16 are supported");
  const int levels = r.count("body.", ".resnets.0.block1.weight");
  if (levels == 0) r.dims("body.0.resnets.0.block1.weight", 4);
  t.blocks = r.count("body.0.resnets.", ".block1.weight");
  for (int i = 0; i < levels; ++i) {
    const std::string level = numbered("body.", i);
    t.widths.push_back(t.light ? r.dim(level + ".out_conv.weight", 4, 0)
                               : r.dim(level + ".resnets.0.block1.weight", 4, 0));
    // source: diffusers FullAdapterXL: with places of 16x16 the third level alone is halved
    t.halves.push_back(t.unshuffle == 16 && !t.light ? i == 2 : i > 0);
  }
  return t;
}

VaeConfig detect_vae(const TensorIndex& index, const ConfigFacts& facts) {
  const ShapeReader r(index, "", "a VAE");
  VaeConfig v;
  v.image_channels = r.dim("encoder.conv_in.weight", 4, 1);
  v.latent_channels = r.dim("decoder.conv_in.weight", 4, 1);
  const int depth = r.count("encoder.down_blocks.", ".resnets.0.conv1.weight");
  if (depth == 0) r.dims("encoder.down_blocks.0.resnets.0.conv1.weight", 4);
  v.layers = r.count("encoder.down_blocks.0.resnets.", ".conv1.weight");
  v.groups = whole(facts, "norm_num_groups", 32);
  for (int i = 0; i < depth; ++i) {
    v.widths.push_back(r.dim(numbered("encoder.down_blocks.", i, ".resnets.0.conv1.weight"), 4, 0));
    divisor("norm_num_groups", v.groups, v.widths.back());
  }
  if (depth > 8) unsupported("a VAE with " + std::to_string(depth) + " levels");
  v.quant_conv = r.has_prefix("quant_conv.");
  v.post_quant_conv = r.has_prefix("post_quant_conv.");
  v.mid_attention = r.has_prefix("decoder.mid_block.attentions.");
  require(facts, "act_fn", "silu");
  return v;
}

ClipTextConfig detect_clip_text(const TensorIndex& index, const ConfigFacts& facts) {
  const ShapeReader r(index, "", "a CLIP text encoder");
  ClipTextConfig c;
  c.vocabulary = r.dim("text_model.embeddings.token_embedding.weight", 2, 0);
  c.width = r.dim("text_model.embeddings.token_embedding.weight", 2, 1);
  c.positions = r.dim("text_model.embeddings.position_embedding.weight", 2, 0);
  c.mlp = r.dim("text_model.encoder.layers.0.mlp.fc1.weight", 2, 0);
  c.layers = r.count("text_model.encoder.layers.", ".mlp.fc1.weight");
  c.projection = r.has("text_projection.weight") ? r.dim("text_projection.weight", 2, 0) : 0;
  c.heads = divisor("num_attention_heads", facts.number("num_attention_heads", std::max(1, c.width / 64)), c.width);
  // CLIP-L is the one public tower with quick_gelu; the OpenCLIP ones use the erf form.
  c.activation = activation(facts, c.width == 768 ? Activation::quick_gelu : Activation::gelu);
  c.eps = static_cast<float>(facts.number("layer_norm_eps", 1e-5));
  return c;
}

ClipVisionConfig detect_clip_vision(const TensorIndex& index, const ConfigFacts& facts) {
  const ShapeReader r(index, "", "a CLIP image encoder");
  ClipVisionConfig c;
  const std::string patches = "vision_model.embeddings.patch_embedding.weight";
  c.width = r.dim(patches, 4, 0);
  c.channels = r.dim(patches, 4, 1);
  c.patch = r.dim(patches, 4, 2);
  const int tokens = r.dim("vision_model.embeddings.position_embedding.weight", 2, 0);
  const int side = static_cast<int>(std::lround(std::sqrt(static_cast<double>(tokens - 1))));
  if (side < 1 || side * side + 1 != tokens || r.dim(patches, 4, 3) != c.patch)
    unsupported("the image encoder's " + std::to_string(tokens) +
                " positions are no class token and a square of patches");
  c.image = side * c.patch;
  c.mlp = r.dim("vision_model.encoder.layers.0.mlp.fc1.weight", 2, 0);
  c.layers = r.count("vision_model.encoder.layers.", ".mlp.fc1.weight");
  c.projection = r.has("visual_projection.weight") ? r.dim("visual_projection.weight", 2, 0) : 0;
  c.heads = divisor("num_attention_heads", facts.number("num_attention_heads", 16), c.width);
  // OpenAI's ViT-L/14 uses quick_gelu, OpenCLIP's H and bigG the erf form.
  c.activation = activation(facts, c.width == 1024 ? Activation::quick_gelu : Activation::gelu);
  c.eps = static_cast<float>(facts.number("layer_norm_eps", 1e-5));
  return c;
}

std::vector<AttentionSite> attention_sites(const UNetConfig& u) {
  const int depth = u.depth();
  std::vector<AttentionSite> down, mid, up;
  int t_idx = 0;
  const auto transformer = [&](std::vector<AttentionSite>& to, const std::string& path, int level, int blocks) {
    for (int k = 0; k < blocks; ++k)
      to.push_back({numbered(path + ".transformer_blocks.", k, ".attn2"), u.levels[level].width, level, 0, t_idx});
    t_idx += blocks > 0;
  };
  for (int i = 0; i < depth; ++i)
    for (int a = 0; a < u.layers; ++a)
      transformer(down, numbered(numbered("down_blocks.", i, ".attentions."), a), i, u.levels[i].transformers);
  transformer(mid, "mid_block.attentions.0", depth - 1, u.mid_transformers);
  for (int i = 0; i < depth; ++i)
    for (int a = 0; a <= u.layers; ++a)
      transformer(up, numbered(numbered("up_blocks.", i, ".attentions."), a), depth - 1 - i,
                  u.levels[depth - 1 - i].transformers);
  int file_index = 1;
  for (std::vector<AttentionSite>* part : {&down, &up, &mid})
    for (AttentionSite& site : *part) site.file_index = file_index, file_index += 2;
  down.insert(down.end(), mid.begin(), mid.end());
  down.insert(down.end(), up.begin(), up.end());
  return down;
}

}  // namespace ipa
