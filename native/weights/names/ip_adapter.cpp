#include "weights/names/ip_adapter.h"

#include <array>
#include <charconv>
#include <vector>

#include "io/open.h"
#include "weights/rename.h"

namespace ipa {

namespace {

struct Alias {
  std::string_view from, to;
};
constexpr std::array kAliases = {
    Alias{"image_proj_model.", "image_proj."},  // source: the authors' training script
    Alias{"adapter_modules.", "ip_adapter."},   // the same; Kolors FaceID
};

std::string authors_name(const std::string& name) {
  for (const Alias& alias : kAliases)
    if (name.starts_with(alias.from)) return std::string(alias.to) + name.substr(alias.from.size());
  return name;
}

}  // namespace

TensorSource adapter_groups(TensorSource source) {
  source = without_nesting(std::move(source));
  std::vector<Rename> renames;
  for (const auto& [name, info] : source.index)
    if (!name.starts_with("unet.")) renames.push_back({authors_name(name), name});
  return renamed(std::move(source), renames);
}

std::string adapter_lora_target(std::string_view name, const CrossAttentions& sites) {
  constexpr std::string_view kGroup = "ip_adapter.";
  if (!name.starts_with(kGroup)) return "";
  name.remove_prefix(kGroup.size());
  int n = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), n);
  if (error != std::errc() || n < 0) return "";
  name.remove_prefix(static_cast<size_t>(end - name.data()));
  constexpr std::array kLayers = {Alias{".to_q_lora.", ".to_q"}, Alias{".to_k_lora.", ".to_k"},
                                  Alias{".to_v_lora.", ".to_v"}, Alias{".to_out_lora.", ".to_out.0"}};
  for (const Alias& layer : kLayers) {
    if (!name.starts_with(layer.from)) continue;
    const auto site = sites.find(n | 1);  // attn1 comes right before the attn2 of its block
    if (site == sites.end()) return "";
    std::string path = site->second;
    if (n % 2 == 0) path.back() = '1';
    return path + std::string(layer.to) + ".weight";
  }
  return "";
}

}  // namespace ipa
