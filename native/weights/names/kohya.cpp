// kohya's names: prefix + module path with dots as underscores.   source: kohya sd-scripts, networks/lora.py
#include <algorithm>
#include <initializer_list>
#include <vector>

#include "weights/names/ldm.h"
#include "weights/names/lora_keys.h"

namespace ipa {

namespace {

std::string underscored(std::string path) {
  std::replace(path.begin(), path.end(), '.', '_');
  return path;
}

std::vector<std::string> prefixes(LoraPart part) {
  switch (part) {
    case LoraPart::unet:
      return {"lora_unet_", ""};  // the first FaceID SDXL companion had no prefix
    case LoraPart::text:
      return {"lora_te_", "lora_te1_"};
    case LoraPart::text2:
      return {"lora_te2_"};
  }
  return {};
}

// The first FaceID SDXL companion says `attn1_k_proj` for attn1.to_k, `attn1_out_proj` for attn1.to_out.0.
std::string companion_alias(const std::string& path) {
  constexpr const char* kLayers[][2] = {
      {".to_q", ".q_proj"}, {".to_k", ".k_proj"}, {".to_v", ".v_proj"}, {".to_out.0", ".out_proj"}};
  for (const auto& layer : kLayers)
    if (path.ends_with(layer[0])) return path.substr(0, path.size() - std::string_view(layer[0]).size()) + layer[1];
  return "";
}

}  // namespace

void add_kohya_names(LoraDictionary& names, LoraPart part, const TensorIndex& network) {
  const ModuleMap to_ldm(part == LoraPart::unet ? unet_modules(network) : std::vector<ModuleName>{},
                         ModuleMap::To::foreign);
  for (const auto& [name, info] : network) {
    if (!has_lora_form(name, info)) continue;
    const std::string path = name.substr(0, name.size() - std::string_view(".weight").size());
    std::vector<std::string> spellings = {path};
    if (part == LoraPart::unet)
      for (const std::string& more : {to_ldm(path), companion_alias(path), companion_alias(to_ldm(path))})
        if (!more.empty()) spellings.push_back(more);
    for (const std::string& prefix : prefixes(part))
      for (const std::string& spelling : spellings)
        names.emplace(prefix + underscored(spelling), LoraTarget{part, name});
  }
}

}  // namespace ipa
