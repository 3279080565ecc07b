#pragma once
// What a UNet (or ControlNet) is told besides the latents, and the plans that prepare it.
//
//   request plan    context [N,1,T,D]  -> text K, V of every site              once per prompt
//                   tokens  [N,1,T,D]  -> image K, V of every site             once per image prompt
//   schedule plan   timesteps [S,1,1,1] (+ SDXL pooled, time_ids) -> time rows of every ResNet, all S steps at once
//   step plan       reads all of these as inputs; holds no to_k, to_v of text or image and no time embedding
//
// Inputs of a step plan, `site` being the path of an attn2, `i` the number of the image prompt:
//   <site>.text_k, <site>.text_v          [N, 1, T, C]
//   <site>.image<i>_k, <site>.image<i>_v  [N, 1, T_i, C]
//   <resnet>.time                         [1 or N, 1, 1, C]
//   mask<i>.<h>x<w>                       [1, h, w, 1]      one per grid size; only of prompts with a mask
//   scales                                [1, 1, 1, cells]  see scale_cell; the one row that is rewritten between steps
//   residual.<k>, residual.mid            [N, h, w, C]      ControlNet: k-th skip pushed; added times control_cell
//   feature.<i>, feature.mid              [N, h, w, C]      T2I-Adapter: one per level; added times feature_cell
#include <cstdint>
#include <string>
#include <vector>

#include "models/adapters.h"
#include "models/configs.h"
#include "plan/builder.h"

namespace ipa {

struct Kv {
  Value k, v;  // [N, 1, T, C]
};
struct ImageKv {
  Value k, v;    // [N, 1, T, C]
  Value row;     // the scales
  int cell = 0;  // of this site and prompt; 0.0 there skips the term, exactly
  Value mask;    // [1, h, w, 1], or none
};

struct ImagePrompt {
  int tokens = 4;
  bool masked = false;
};

// Copied into each recording, since it counts the sites it has been asked for.
struct Conditioning {
  int64_t batch = 1;         // N: two rows under guidance, [unconditional, conditional]
  int64_t text_tokens = 77;  // 77 per prompt chunk
  int64_t time_rows = 1;     // N where rows differ in their time embedding (SDXL), else 1
  std::vector<ImagePrompt> image_prompts = {};
  bool control = false;      // ControlNet residuals are added to the skips and the middle
  int features = 0;          // T2I-Adapter: levels with a feature
  bool feature_mid = false;  // T2I-Adapter XL: its last feature goes to the middle
  bool free_u = false;       // the first up blocks read what models/free_u.h makes
  int sites = 0;             // cross-attentions of the network: attention_sites(config).size()
  Value context = {};        // a single module on its own: K, V are computed where they are used, from this

  int visited = 0;  // sites asked so far, in execution order

  // Number of the cell that scales image prompt `prompt` at site `site` (execution order).
  int scale_cell(int site, int prompt) const { return site * static_cast<int>(image_prompts.size()) + prompt; }
  int control_cell() const { return scale_cell(sites, 0); }
  int feature_cell() const { return control_cell() + (control ? 1 : 0); }
  int cells() const { return feature_cell() + (features > 0 || feature_mid ? 1 : 0); }

  // Asked by cross_attention in this order: text, every image, then next_site.
  Kv text(Builder& b, int width) const;
  ImageKv image(Builder& b, int prompt, const Value& x) const;
  void next_site() { ++visited; }

  Value time(Builder& b, int width) const;                                // of the ResNet whose scope is open
  Value add_control(Builder& b, Value x, const std::string& name) const;  // x + cell * residual.<name>
  Value add_feature(Builder& b, Value x, const std::string& name) const;  // x + cell * feature.<name>
  Value scales(Builder& b) const;
};

// Request plan of the text: input "context" [n, 1, tokens, D]; outputs <site>.text_k, <site>.text_v.
void record_text_kv(Builder& b, const UNetConfig& unet, int64_t n, int64_t tokens);

// The same for the sites of an encoder and middle alone (ControlNet).
void record_encoder_text_kv(Builder& b, const UNetConfig& unet, int64_t n, int64_t tokens);

struct ImageKvOptions {
  // Input "value_gain" [1, 1, tokens, 1]: V is multiplied by 1 + gain, per token. Weights of pictures in one prompt.
  bool token_gains = false;
  // Input "site_gains" [1, 1, 1, 3 * sites], execution order: K and V times 1 + gain, then V plus the third gain times
  // its mean over tokens. "K+V": (w-1, w-1, 0); "K+mean(V) w/ C penalty": (wC/1280 - 1, 0, wC/1280 - 1).
  bool site_gains = false;
};
// What K and V of one site are multiplied by besides; values that are absent change nothing.
struct ImageKvGains {
  Value tokens;  // value_gain
  Value sites;   // site_gains
  int cell = 0;  // the first of the site's three
};
// K and V from image tokens [n, 1, T, D] by to_k_ip and to_v_ip of the open scope.
Kv image_kv(Builder& b, Value tokens, int width, const ImageKvGains& gains = {});

// Request plan of an image prompt: input "tokens" [n, 1, tokens, D]; outputs <site>.image_k, <site>.image_v.
void record_image_kv(Builder& b, const UNetConfig& unet, const AdapterInfo& adapter, int64_t n, int64_t tokens,
                     const ImageKvOptions& options = {});

// Schedule plan: input "timesteps" [steps, 1, 1, 1]; with a guidance_width "guidance" [1, 1, 1, 1], 1000 * (scale - 1);
// with added conditioning "pooled" [rows, 1, 1, P] and "time_ids" [rows, 1, 1, 6]. Outputs <resnet>.time
// [steps, 1, rows, C]: the numbers of one step are one block, to which the step plan's <resnet>.time
// [rows, 1, 1, C] is bound.
// `rows` is 1 without added conditioning. Taps time_embedding, add_embedding.
void record_schedule(Builder& b, const UNetConfig& unet, int64_t steps, int64_t rows);
// The same for a network that has only the encoder's and the middle's ResNets (ControlNet).
void record_encoder_schedule(Builder& b, const UNetConfig& unet, int64_t steps, int64_t rows);

}  // namespace ipa
