// From a file's tensors to changes of a network's weights.
#include <optional>

#include "core/error.h"
#include "io/open.h"
#include "weights/lora.h"
#include "weights/tensor_values.h"

namespace ipa {

namespace {

// The tensors of one module, as the file names them; "" for what it has not.
struct Factors {
  std::string down, up, mid, alpha;
};
using Modules = std::map<std::string, Factors>;

[[noreturn]] void misshapen(const std::string& label, const std::string& tensor, const std::string& expected,
                            const Dims& found) {
  fail(Code::TENSOR_SHAPE, label + ": " + tensor + ": expected " + expected + ", file has " + text(found),
       "the file is damaged; fetch it again",
       {{"tensor", tensor}, {"expected", expected}, {"found", text(found)}, {"path", label}});
}

Modules modules_of(const TensorSource& source, std::vector<std::string>& strangers) {
  Modules modules;
  for (const auto& [name, info] : source.index) {
    const std::optional<LoraKey> key = parse_lora_key(name);
    if (!key) {
      strangers.push_back(name);
      continue;
    }
    Factors& f = modules[key->module];
    switch (key->factor) {
      case LoraFactor::down:
        f.down = name;
        break;
      case LoraFactor::up:
        f.up = name;
        break;
      case LoraFactor::mid:
        f.mid = name;
        break;
      case LoraFactor::alpha:
        f.alpha = name;
        break;
      case LoraFactor::unsupported:
        fail(Code::MODEL_FORMAT_UNSUPPORTED,
             source.label + " holds " + key->form + " weights, such as " + quoted(name) +
                 "; only LoRA (LoCon) can be merged",
             "use a plain LoRA of the same style, or merge this file into the base model with the tool that made it",
             {{"tensor", name}, {"found", key->form}, {"path", source.label}});
    }
  }
  return modules;
}

// Rank of a module with all its factors; their shapes agree with each other afterwards.
int64_t rank_of(const TensorSource& source, const std::string& module, const Factors& f) {
  if (f.down.empty() || f.up.empty())
    fail(Code::TENSOR_MISSING,
         source.label + ": " + quoted(module) + " lacks its " + (f.down.empty() ? "down" : "up") + " factor",
         "the file is damaged or cut short; fetch it again", {{"tensor", module}, {"path", source.label}});
  const Dims &down = source.index.at(f.down).dims, &up = source.index.at(f.up).dims;
  const int64_t rank = down.empty() ? 0 : down[0];
  if (down.size() < 2 || rank <= 0 || product(down) <= 0) misshapen(source.label, f.down, "[rank, inputs]", down);
  if (up.size() < 2 || up[0] <= 0 || product(up) != up[0] * rank)
    misshapen(source.label, f.up, "[outputs, " + std::to_string(rank) + "]", up);
  if (f.mid.empty()) return rank;
  const Dims& mid = source.index.at(f.mid).dims;
  if (mid.size() != 4 || mid[0] != rank || mid[1] != rank || product(mid) <= 0)
    misshapen(source.label, f.mid, "[" + std::to_string(rank) + ", " + std::to_string(rank) + ", h, w]", mid);
  return rank;
}

// Shape of the change that the factors make: [outputs, inputs · window].
Dims delta_dims(const TensorIndex& index, const Factors& f, int64_t rank) {
  const int64_t window = f.mid.empty() ? 1 : product(index.at(f.mid).dims) / (rank * rank);
  return {index.at(f.up).dims[0], product(index.at(f.down).dims) / rank * window};
}

Dims matrix_dims(const Dims& weight) { return {weight[0], weight[0] > 0 ? product(weight) / weight[0] : 0}; }

bool reads_text(const std::string& path) {
  return path.ends_with("attn2.to_k.weight") || path.ends_with("attn2.to_v.weight");
}

// alpha / rank; an alpha that is missing or 0 means rank.
float scale_of(const TensorSource& source, const Factors& f, const LoraTarget& target, int64_t rank,
               const PeftScale& peft) {
  if (f.alpha.empty()) return peft.of(target, rank);
  const std::vector<float> alpha = tensor_values(source, f.alpha);
  if (alpha.size() != 1) misshapen(source.label, f.alpha, "one number", source.index.at(f.alpha).dims);
  check_finite(alpha, f.alpha, source.label);
  return alpha[0] == 0 ? 1 : alpha[0] / static_cast<float>(rank);
}

// Adds the module's change of `weight`, unless the shapes say that it is for another one.
bool add_module(Lora& lora, const std::string& module, const Factors& f, const LoraTarget& target, const Dims& weight,
                const PeftScale& peft) {
  const int64_t rank = rank_of(lora.source, module, f);
  const Dims found = delta_dims(lora.source.index, f, rank), expected = matrix_dims(weight);
  if (found != expected) {
    if (target.part == LoraPart::unet && reads_text(target.path) && found[1] != expected[1])
      fail(Code::LORA_KEYS_UNMATCHED,
           lora.source.label + " was trained for a base model with text states of width " + std::to_string(found[1]) +
               ", this one has " + std::to_string(expected[1]),
           "use a LoRA made for this base model (768: SD1.5, 1024: SD2.x, 2048: SDXL)",
           {{"tensor", f.down},
            {"expected", std::to_string(expected[1])},
            {"found", std::to_string(found[1])},
            {"path", lora.source.label}});
    return false;
  }
  lora.parts[target.part][target.path].push_back(
      {f.down, f.up, f.mid, rank, scale_of(lora.source, f, target, rank, peft)});
  lora.rank = std::max(lora.rank, rank);
  return true;
}

void check_factors(const Lora& lora) {
  for (const auto& [part, deltas] : lora.parts)
    for (const auto& [path, list] : deltas)
      for (const LoraDelta& delta : list)
        for (const std::string& name : {delta.down, delta.up, delta.mid})
          if (!name.empty()) check_finite(tensor_values(lora.source, name), name, lora.source.label);
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
        fits = add_module(lora, module, factors, target->second, network.index.at(target->second.path).dims, peft);
    if (!fits) lora.unmatched.push_back(module);
  }
  judge_matches(lora, modules.size() + strangers);
  if (!options.allow_nonfinite) check_factors(lora);
  return lora;
}

Lora adapter_lora(TensorSource adapter, const CrossAttentions& sites, const TensorIndex& unet,
                  const LoraOptions& options) {
  Lora lora = empty_lora(std::move(adapter));
  std::map<std::string, std::pair<std::string, Factors>> modules;  // weight path -> module, factors
  for (const auto& [name, info] : lora.source.index) {
    const bool down = name.ends_with("_lora.down.weight");
    if (!name.starts_with("ip_adapter.") || (!down && !name.ends_with("_lora.up.weight"))) continue;
    const std::string path = adapter_lora_target(name, sites);
    auto& [module, factors] = modules[path.empty() ? name : path];
    module = name.substr(0, name.find("_lora.") + 5);
    (down ? factors.down : factors.up) = name;
  }
  const PeftScale no_configuration(TensorSource{});
  for (const auto& [path, entry] : modules) {
    const auto& [module, factors] = entry;
    const auto weight = unet.find(path);
    if (weight != unet.end() &&
        add_module(lora, module, factors, {LoraPart::unet, path}, weight->second.dims, no_configuration))
      continue;
    fail(Code::ADAPTER_BASE_MISMATCH,
         lora.source.label + ": the LoRA inside, at " + quoted(module) + ", does not fit this UNet",
         "use an adapter made for this base model", {{"tensor", module}, {"path", lora.source.label}});
  }
  if (!options.allow_nonfinite) check_factors(lora);
  return lora;
}

}  // namespace ipa
