#include "weights/names/ip_adapter.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>

#include "io/open.h"

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

// What a name of converters says:
// "[unet.]up_blocks.1.attentions.0.transformer_blocks.0.attn2.processor.to_k_ip.weight".
struct InModule {
  std::vector<int> block;  // as the authors count blocks: down, up, mid, then by the numbers of the path
  bool cross;              // attn2
  std::string weight;      // "to_k_ip.weight"
};

std::vector<int> place_of(std::string_view path) {
  std::vector<int> place{path.starts_with("down_blocks.") ? 0 : path.starts_with("up_blocks.") ? 1 : 2};
  while (!path.empty()) {
    const size_t dot = std::min(path.find('.'), path.size());
    int n = 0;
    const auto [end, error] = std::from_chars(path.data(), path.data() + dot, n);
    if (error == std::errc() && end == path.data() + dot) place.push_back(n);
    path.remove_prefix(std::min(dot + 1, path.size()));
  }
  return place;
}

// Takes `text` off the front; whether it was there.
bool take(std::string_view& name, std::string_view text) {
  if (!name.starts_with(text)) return false;
  name.remove_prefix(text.size());
  return true;
}

std::optional<InModule> in_module(std::string_view name) {
  take(name, "unet.");
  if (!name.starts_with("down_blocks.") && !name.starts_with("up_blocks.") && !name.starts_with("mid_block."))
    return {};
  constexpr std::string_view kAttention = ".attn";
  const size_t at = name.find(kAttention);
  if (at == std::string_view::npos || at + kAttention.size() >= name.size()) return {};
  const std::vector<int> block = place_of(name.substr(0, at));
  name.remove_prefix(at + kAttention.size());
  const bool cross = name.starts_with("2.");
  if (!take(name, "1.") && !take(name, "2.")) return {};
  take(name, "processor.");
  for (const std::string_view layer : {"to_k_ip.", "to_v_ip."})
    if (take(name, layer)) {
      take(name, "0.");  // a list with one adapter in it
      return InModule{block, cross, std::string(layer) + std::string(name)};
    }
  for (const std::string_view layer : {"to_q_lora.", "to_k_lora.", "to_v_lora.", "to_out_lora."})
    if (name.starts_with(layer)) return InModule{block, cross, std::string(name)};
  return {};
}

// Names by module become numbers: of attn1 and attn2 of the blocks that the file has, in the authors' order.
std::vector<Rename> numbered_modules(const TensorIndex& index) {
  std::map<std::vector<int>, int> blocks;
  for (const auto& [name, info] : index)
    if (const auto found = in_module(name)) blocks[found->block] = 0;
  int n = 0;
  for (auto& [block, number] : blocks) number = n++;
  std::vector<Rename> renames;
  for (const auto& [name, info] : index)
    if (const auto found = in_module(name))
      renames.push_back({numbered("ip_adapter.", 2 * blocks[found->block] + found->cross, "." + found->weight), name});
  return renames;
}

}  // namespace

std::vector<Rename> adapter_names(const TensorIndex& index) {
  std::vector<Rename> renames;
  bool by_number = false;
  for (const auto& [name, info] : index) {
    if (name.starts_with("unet.") || in_module(name)) continue;
    renames.push_back({authors_name(name), name});
    by_number = by_number || renames.back().to.starts_with("ip_adapter.");
  }
  // a training checkpoint has the same weights under both names
  if (!by_number)
    for (Rename& module : numbered_modules(index)) renames.push_back(std::move(module));
  return renames;
}

TensorSource adapter_groups(TensorSource source) {
  source = without_nesting(std::move(source));
  const std::vector<Rename> renames = adapter_names(source.index);
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
