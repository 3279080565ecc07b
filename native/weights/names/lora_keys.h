#pragma once
// LoRA files: which module a tensor belongs to and what it is there; and the names that modules of a network have in
// such files. Names are never taken apart at underscores, which are ambiguous: every module's possible names are listed
// and looked up.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/tensor_index.h"

namespace ipa {

enum class LoraPart : uint8_t { unet, text, text2 };

// A weight that can be changed: "down_blocks.0.attentions.0.proj_in.weight" of the UNet.
struct LoraTarget {
  LoraPart part;
  std::string path;
};
using LoraDictionary = std::map<std::string, LoraTarget, std::less<>>;  // module's name in a file -> its weight

// names/kohya.cpp: `lora_unet_…`, `lora_te_…`, `lora_te1_…`, `lora_te2_…` with dots as underscores, over diffusers' and
// the original's paths. The names known first stay.
void add_kohya_names(LoraDictionary& names, LoraPart part, const TensorIndex& network);
// names/peft.cpp: `unet.…`, `text_encoder.…`, `text_encoder_2.…`, `base_model.model.…`, `diffusion_model.…` with dots.
void add_peft_names(LoraDictionary& names, LoraPart part, const TensorIndex& network);

// Tensors of a network that LoRA files have a change of: weights of linear layers, convolutions and norms. The bias of
// a layer is found by its weight.
bool has_lora_form(std::string_view name, const TensorInfo& info);

// What a tensor is to its module. Which of them make a change, and their shapes: weights/lora_forms.h.
enum class LoraFactor : uint8_t {
  none,
  down,
  up,
  mid,
  up_bias,
  hada_w1_a,
  hada_w1_b,
  hada_t1,
  hada_w2_a,
  hada_w2_b,
  hada_t2,
  lokr_w1,
  lokr_w1_a,
  lokr_w1_b,
  lokr_w2,
  lokr_w2_a,
  lokr_w2_b,
  lokr_t2,
  diff,
  diff_bias,
  dora_scale,
  magnitude,  // PEFT's, always of outputs
  alpha,      // one number
  unsupported,
};
// What messages call it: "hada_w1_a".
const char* factor_text(LoraFactor factor);

struct LoraKey {
  std::string module;
  LoraFactor factor;
  const char* form = "";  // what an unsupported tensor belongs to: "OFT"
};
// Nothing when the name is of no LoRA kind.
std::optional<LoraKey> parse_lora_key(std::string_view name);

// Alpha as PEFT's configuration has it, in the metadata entry `lora_adapter_metadata`.
class PeftScale {
 public:
  explicit PeftScale(const TensorSource& source);
  // The factor on up·down of a module without a tensor `alpha`: alpha/r, with rslora alpha/√r, 1 where nothing is said.
  float of(const LoraTarget& target, int64_t rank) const;

 private:
  struct Config {
    std::optional<double> alpha;
    bool rslora = false;
    std::map<std::string, double> patterns;  // end of a module's path -> its own alpha
  };
  std::map<LoraPart, Config> configs_;
};

}  // namespace ipa
