#pragma once
// One struct per model and the functions that fill it from a weight file's names and shapes. Nothing else looks at
// shapes to find out what a model is. What they cannot tell (heads, groups, activation) comes from config.json as
// ConfigFacts. Adapters: adapters.h.
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor_index.h"

namespace ipa {

// The top level of a config.json, flattened by whoever parsed it: a number or boolean is one number, a list of numbers
// is several, a text is a text. null, lists of texts and nested objects are left out. Empty for single-file
// checkpoints.
struct ConfigFacts {
  std::map<std::string, std::vector<double>, std::less<>> numbers;
  std::map<std::string, std::string, std::less<>> texts;

  double number(std::string_view key, double otherwise) const;
  std::string text(std::string_view key, std::string_view otherwise) const;
};

enum class Activation : uint8_t { gelu, quick_gelu };

struct UNetLevel {
  int width = 0;         // channels
  int transformers = 0;  // blocks in each of the level's transformers; 0: a level without attention
  int heads = 1;
};

// Levels run from full resolution down; the up blocks mirror them.
struct UNetConfig {
  int in_channels = 4, out_channels = 4;  // 9 in: latent 4, mask 1, masked image 4
  std::vector<UNetLevel> levels;
  int layers = 2;            // ResNets per down block; an up block has one more
  int mid_transformers = 1;  // blocks of the middle transformer
  int context = 768;         // width of text states
  bool linear_projection = false;
  int time_width = 1280;   // of the time embedding; its sinusoid has levels[0].width numbers
  int guidance_width = 0;  // of the guidance embedding's sinusoid (LCM); 0: none
  int pooled_width = 0;    // SDXL: of the pooled text; 0: no added conditioning
  int time_ids = 0;        // SDXL: how many numbers of size and crop
  int time_id_width = 0;   // SDXL: sinusoid of each of them
  int groups = 32;
  float eps = 1e-5f;

  int depth() const { return static_cast<int>(levels.size()); }
  bool added_conditioning() const { return pooled_width > 0; }
};

// The encoder of a UNet with a picture added to its first convolution.
struct ControlNetConfig {
  UNetConfig unet;  // out_channels and all that belongs to the decoder mean nothing here
  int image_channels = 3;
  std::vector<int> hint;           // widths of the hint network, from full resolution down
  bool global_pool = false;        // residuals are their own means over the picture (shuffle)
  bool reversed_channels = false;  // the picture is read as BGR

  int factor() const { return 1 << (hint.size() - 1); }  // pixels per latent
};

struct T2iAdapterConfig {
  bool light = false;
  int image_channels = 3;
  int unshuffle = 8;         // pixels per side that become one place
  std::vector<int> widths;   // of the features, one after the other
  std::vector<bool> halves;  // whether a level begins with a pool
  int blocks = 2;            // per level

  int features() const { return static_cast<int>(widths.size()); }
};

struct VaeConfig {
  int image_channels = 3, latent_channels = 4;
  std::vector<int> widths;  // from full resolution down
  int layers = 2;           // ResNets per encoder block; a decoder block has one more
  bool quant_conv = true, post_quant_conv = true, mid_attention = true;
  int groups = 32;
  float eps = 1e-6f;

  int factor() const { return 1 << (widths.size() - 1); }  // pixels per latent
};

struct ClipTextConfig {
  int vocabulary = 49408, positions = 77;
  int width = 768, mlp = 3072, layers = 12, heads = 12;
  Activation activation = Activation::quick_gelu;
  int projection = 0;  // width of text_embeds; 0: no projection
  float eps = 1e-5f;
};

struct ClipVisionConfig {
  int channels = 3, image = 224, patch = 14;  // pixels
  int width = 1280, mlp = 5120, layers = 32, heads = 16;
  Activation activation = Activation::gelu;
  int projection = 1024;  // width of image_embeds; 0: no projection
  float eps = 1e-5f;

  int grid() const { return image / patch; }
  int tokens() const { return 1 + grid() * grid(); }  // class token first
};

// `index` holds diffusers' names (transformers' for CLIP, with `text_model.` and `vision_model.`).
// TENSOR_MISSING, TENSOR_SHAPE; MODEL_FORMAT_UNSUPPORTED names the family found when it is not among ours.
UNetConfig detect_unet(const TensorIndex& index, const ConfigFacts& facts = {});
ControlNetConfig detect_controlnet(const TensorIndex& index, const ConfigFacts& facts = {});
T2iAdapterConfig detect_t2i_adapter(const TensorIndex& index, const ConfigFacts& facts = {});
VaeConfig detect_vae(const TensorIndex& index, const ConfigFacts& facts = {});
ClipTextConfig detect_clip_text(const TensorIndex& index, const ConfigFacts& facts = {});
ClipVisionConfig detect_clip_vision(const TensorIndex& index, const ConfigFacts& facts = {});

// Every cross-attention of a UNet ("site"), in execution order: down, middle, up.
struct AttentionSite {
  std::string path;    // "down_blocks.0.attentions.0.transformer_blocks.0.attn2"
  int width = 0;       // channels
  int level = 0;       // how often its grid was halved: ceil each time
  int file_index = 0;  // N of `ip_adapter.N`; N - 1 is the self-attention of the same block
  int t_idx = 0;       // one number per transformer, in execution order
};
// trap: `ip_adapter.N` counts down, up, then mid, self-attention included. SD1.5's middle block is 31 of 31.
std::vector<AttentionSite> attention_sites(const UNetConfig& config);

}  // namespace ipa
