// From a file's tensors to changes of a network's weights.
#include <optional>

#include "core/error.h"
#include "io/open.h"
#include "weights/lora.h"
#include "weights/tensor_values.h"

namespace ipa {

namespace {

using Modules = std::map<std::string, LoraFactors>;

Modules modules_of(const TensorSource& source, std::vector<std::string>& strangers) {
  Modules modules;
  for (const auto& [name, info] : source.index) {
    const std::optional<LoraKey> key = parse_lora_key(name);
    if (!key) {
      strangers.push_back(name);
      continue;
    }
    if (key->factor == LoraFactor::unsupported)
      fail(Code::MODEL_FORMAT_UNSUPPORTED,
           source.label + " holds " + key->form + " weights, such as " + quoted(name) +
               "; LoRA (LoCon), LoHa, LoKr, DoRA and full differences can be merged",
           "use a plain LoRA of the same style, or merge this file into the base model with the tool that made it",
           {{"tensor", name}, {"found", key->form}, {"path", source.label}});
    const auto [at, first] = modules[key->module].emplace(key->factor, name);
    if (first) continue;
    fail(Code::MODEL_FORMAT_UNSUPPORTED,
         source.label + " has the same factor twice, as " + quoted(at->second) + " and as " + quoted(name),
         "keep one adapter in a file: save them apart with the tool that made them",
         {{"tensor", name}, {"found", at->second}, {"path", source.label}});
  }
  return modules;
}

bool reads_text(const std::string& path) {
  return path.ends_with("attn2.to_k.weight") || path.ends_with("attn2.to_v.weight");
}

// alpha / rank; an alpha that is missing or 0 means rank.
float scale_of(const TensorSource& source, const LoraFactors& factors, const LoraTarget& target, const LoraDelta& delta,
               const PeftScale& peft) {
  if (delta.rank == 0) return 1;  // a difference, a LoKr of two whole matrices: whatever alpha says
  const auto at = factors.find(LoraFactor::alpha);
  if (at == factors.end()) return peft.of(target, delta.rank);
  const std::vector<float> alpha = tensor_values(source, at->second);
  if (alpha.size() != 1) misshapen(source, at->second, "one number");
  check_finite(alpha, at->second, source.label);
  return alpha[0] == 0 ? 1 : alpha[0] / static_cast<float>(delta.rank);
}

// A weight that reads text tells which base model a LoRA was trained for.
void check_text_width(const TensorSource& source, const LoraTarget& target, const LoraDelta& delta, int64_t expected) {
  if (target.part != LoraPart::unet || !reads_text(target.path) || delta.columns == expected) return;
  fail(Code::LORA_KEYS_UNMATCHED,
       source.label + " was trained for a base model with text states of width " + std::to_string(delta.columns) +
           ", this one has " + std::to_string(expected),
       "use a LoRA made for this base model (768: SD1.5, 1024: SD2.x, 2048: SDXL)",
       {{"tensor", delta.tensors.begin()->second},
        {"expected", std::to_string(expected)},
        {"found", std::to_string(delta.columns)},
        {"path", source.label}});
}

// Adds what the module changes of a layer, unless the shapes say that it is for another one.
bool add_module(Lora& lora, const std::string& module, const LoraFactors& factors, const LoraTarget& target,
                const TensorIndex& network, const PeftScale& peft) {
  LoraModule changes = read_module(lora.source, module, factors);
  const Dims& weight = network.at(target.path).dims;
  const std::string bias_path = target.path.substr(0, target.path.rfind('.')) + ".bias";
  const auto bias = network.find(bias_path);
  if (changes.weight && !fits(*changes.weight, weight)) {
    check_text_width(lora.source, target, *changes.weight, weight.size() > 1 ? product(weight) / weight[0] : 1);
    return false;
  }
  if (changes.bias && (bias == network.end() || !fits(*changes.bias, bias->second.dims))) return false;
  LoraDeltas& deltas = lora.parts[target.part];
  float scale = 1;
  if (changes.weight) {
    bind_magnitude(*changes.weight, lora.source, weight);
    scale = changes.weight->scale = scale_of(lora.source, factors, target, *changes.weight, peft);
    lora.rank = std::max(lora.rank, changes.weight->rank);
    deltas[target.path].push_back(std::move(*changes.weight));
  }
  if (changes.bias) {
    if (scaled(*changes.bias)) changes.bias->scale = scale;
    deltas[bias_path].push_back(std::move(*changes.bias));
  }
  return true;
}

void check_factors(const Lora& lora) {
  for (const auto& [part, deltas] : lora.parts)
    for (const auto& [path, list] : deltas)
      for (const LoraDelta& delta : list)
        for (const auto& [factor, name] : delta.tensors)
          check_finite(tensor_values(lora.source, name), name, lora.source.label);
}

// Nothing fits: an error. A part fits: a warning with the ratio.
void judge_matches(Lora& lora, size_t modules) {
  if (lora.unmatched.empty() && modules > 0) return;
  const std::string example = lora.unmatched.empty() ? "" : ", for example " + quoted(lora.unmatched[0]);
  const size_t matched = modules - lora.unmatched.size();
  if (matched == 0)
    fail(Code::LORA_KEYS_UNMATCHED,
         modules == 0 ? lora.source.label + " holds no LoRA weights"
                      : "none of the " + std::to_string(modules) + " modules of " + lora.source.label +
                            " fits this model" + example,
         "use a LoRA made for this base model",
         {{"path", lora.source.label}, {"found", "0 of " + std::to_string(modules)}});
  lora.warnings.emplace_back("LORA_KEYS_UNMATCHED", lora.source.label + ": " + std::to_string(matched) + " of " +
                                                        std::to_string(modules) +
                                                        " modules fit this model; the others are left out" + example);
}

Lora empty_lora(TensorSource source) {
  Lora lora;
  lora.warnings = source.warnings;
  lora.source = std::move(source);
  lora.identity = std::make_shared<const char>();
  return lora;
}

}  // namespace

Lora open_lora(TensorSource source, std::span<const LoraNetwork> networks, const LoraOptions& options) {
  Lora lora = empty_lora(without_nesting(std::move(source)));
  LoraDictionary names;
  for (const LoraNetwork& network : networks) {
    add_kohya_names(names, network.part, network.index);
    add_peft_names(names, network.part, network.index);
  }
  const PeftScale peft(lora.source);
  const Modules modules = modules_of(lora.source, lora.unmatched);
  const size_t strangers = lora.unmatched.size();
  for (const auto& [module, factors] : modules) {
    const auto target = names.find(module);
    bool fits = false;
    for (const LoraNetwork& network : networks)
      if (target != names.end() && network.part == target->second.part)
        fits = add_module(lora, module, factors, target->second, network.index, peft);
    if (!fits) lora.unmatched.push_back(module);
  }
  judge_matches(lora, modules.size() + strangers);
  if (!options.allow_nonfinite) check_factors(lora);
  return lora;
}

Lora adapter_lora(TensorSource adapter, const CrossAttentions& sites, const TensorIndex& unet,
                  const LoraOptions& options) {
  Lora lora = empty_lora(std::move(adapter));
  std::map<std::string, std::pair<std::string, LoraFactors>> modules;  // weight path -> module, factors
  for (const auto& [name, info] : lora.source.index) {
    const bool down = name.ends_with("_lora.down.weight");
    if (!name.starts_with("ip_adapter.") || (!down && !name.ends_with("_lora.up.weight"))) continue;
    const std::string path = adapter_lora_target(name, sites);
    auto& [module, factors] = modules[path.empty() ? name : path];
    module = name.substr(0, name.find("_lora.") + 5);
    factors[down ? LoraFactor::down : LoraFactor::up] = name;
  }
  const PeftScale no_configuration(TensorSource{});
  for (const auto& [path, entry] : modules) {
    const auto& [module, factors] = entry;
    if (unet.contains(path) && add_module(lora, module, factors, {LoraPart::unet, path}, unet, no_configuration))
      continue;
    fail(Code::ADAPTER_BASE_MISMATCH,
         lora.source.label + ": the LoRA inside, at " + quoted(module) + ", does not fit this UNet",
         "use an adapter made for this base model", {{"tensor", module}, {"path", lora.source.label}});
  }
  if (!options.allow_nonfinite) check_factors(lora);
  return lora;
}

}  // namespace ipa
