// Names of PEFT and diffusers, and the endings of every LoRA dialect.   source: peft, diffusers
// loaders/lora_conversion_utils
#include <array>
#include <cmath>
#include <vector>

#include "core/error.h"
#include "io/json.h"
#include "weights/names/ldm.h"
#include "weights/names/lora_keys.h"

namespace ipa {

namespace {

struct Ending {
  std::string_view text;
  LoraFactor factor;
  const char* word;  // of messages
};
constexpr std::array kEndings = {
    Ending{".lora_down.weight", LoraFactor::down, "down"},
    Ending{".lora_up.weight", LoraFactor::up, "up"},
    Ending{".lora_mid.weight", LoraFactor::mid, "mid"},
    Ending{"_lora.alpha", LoraFactor::alpha, "alpha"},
    Ending{".alpha", LoraFactor::alpha, "alpha"},
    Ending{".lora_A.weight", LoraFactor::down, "down"},
    Ending{".lora_B.weight", LoraFactor::up, "up"},
    Ending{".lora.down.weight", LoraFactor::down, "down"},
    Ending{".lora.up.weight", LoraFactor::up, "up"},
    Ending{".lora_linear_layer.down.weight", LoraFactor::down, "down"},
    Ending{".lora_linear_layer.up.weight", LoraFactor::up, "up"},
    Ending{"_lora.down.weight", LoraFactor::down, "down"},
    Ending{"_lora.up.weight", LoraFactor::up, "up"},
    Ending{".lora_B.bias", LoraFactor::up_bias, "lora_B.bias"},
    Ending{".hada_w1_a", LoraFactor::hada_w1_a, "hada_w1_a"},
    Ending{".hada_w1_b", LoraFactor::hada_w1_b, "hada_w1_b"},
    Ending{".hada_t1", LoraFactor::hada_t1, "hada_t1"},
    Ending{".hada_w2_a", LoraFactor::hada_w2_a, "hada_w2_a"},
    Ending{".hada_w2_b", LoraFactor::hada_w2_b, "hada_w2_b"},
    Ending{".hada_t2", LoraFactor::hada_t2, "hada_t2"},
    Ending{".lokr_w1", LoraFactor::lokr_w1, "lokr_w1"},
    Ending{".lokr_w1_a", LoraFactor::lokr_w1_a, "lokr_w1_a"},
    Ending{".lokr_w1_b", LoraFactor::lokr_w1_b, "lokr_w1_b"},
    Ending{".lokr_w2", LoraFactor::lokr_w2, "lokr_w2"},
    Ending{".lokr_w2_a", LoraFactor::lokr_w2_a, "lokr_w2_a"},
    Ending{".lokr_w2_b", LoraFactor::lokr_w2_b, "lokr_w2_b"},
    Ending{".lokr_t2", LoraFactor::lokr_t2, "lokr_t2"},
    Ending{".diff", LoraFactor::diff, "diff"},
    Ending{".diff_b", LoraFactor::diff_bias, "diff_b"},
    Ending{".w_norm", LoraFactor::diff, "w_norm"},
    Ending{".b_norm", LoraFactor::diff_bias, "b_norm"},
    Ending{".dora_scale", LoraFactor::dora_scale, "dora_scale"},
    Ending{".lora_magnitude_vector", LoraFactor::magnitude, "lora_magnitude_vector"},
    Ending{".lora_magnitude_vector.weight", LoraFactor::magnitude, "lora_magnitude_vector"},
};

// "….lora_A.default.weight" -> "….lora_A.weight": PEFT writes the adapter's name between.
std::string without_adapter_name(std::string_view name) {
  for (const std::string_view factor : {".lora_A.", ".lora_B.", ".lora_magnitude_vector."}) {
    const size_t at = name.rfind(factor);
    if (at == std::string_view::npos) continue;
    const std::string_view rest = name.substr(at + factor.size());
    const size_t dot = rest.rfind('.');
    const std::string_view last = dot == std::string_view::npos ? rest : rest.substr(dot + 1);
    const std::string head(name.substr(0, at + factor.size()));
    if (factor == ".lora_magnitude_vector.") return head.substr(0, head.size() - 1);
    return last == "weight" || last == "bias" ? head + std::string(last) : std::string(name);
  }
  return std::string(name);
}

// diffusers' old attention processors: "….attn1.processor.to_out_lora" is attn1.to_out.0, and in text encoders
// "….self_attn.to_q_lora" is self_attn.q_proj.
std::string processor_module(std::string module) {
  constexpr std::string_view kProcessor = ".processor";
  const size_t at = module.rfind('.');
  const std::string layer = at == std::string::npos ? "" : module.substr(at + 1);
  if (layer != "to_q" && layer != "to_k" && layer != "to_v" && layer != "to_out") return module;
  std::string attention = module.substr(0, at);
  if (attention.ends_with(kProcessor)) attention.resize(attention.size() - kProcessor.size());
  if (attention.ends_with(".self_attn")) return attention + "." + layer.substr(3) + "_proj";
  return attention + "." + (layer == "to_out" ? "to_out.0" : layer);
}

// Forms that are known and cannot be merged, and what else is named like a form that can be.
const char* foreign_form(std::string_view name) {
  constexpr const char* kForms[][2] = {{".hada_", "LoHa"}, {".lokr_", "LoKr"}, {".oft_", "OFT"}, {".boft_", "BOFT"}};
  for (const auto& form : kForms)
    if (name.find(form[0]) != std::string_view::npos) return form[1];
  return nullptr;
}

std::vector<std::string> prefixes(LoraPart part) {
  switch (part) {
    case LoraPart::unet:
      return {"unet.",
              "",
              "base_model.model.",
              "base_model.model.unet.",
              "diffusion_model.",
              "model.diffusion_model.",
              "base_model.model.diffusion_model."};
    case LoraPart::text:
      return {"text_encoder.", "", "base_model.model.", "base_model.model.text_encoder."};
    case LoraPart::text2:
      return {"text_encoder_2.", "base_model.model.text_encoder_2."};
  }
  return {};
}

const char* component(LoraPart part) {
  switch (part) {
    case LoraPart::unet:
      return "unet";
    case LoraPart::text:
      return "text_encoder";
    case LoraPart::text2:
      break;
  }
  return "text_encoder_2";
}

bool is_number(const Json& json) { return json.kind == Json::Kind::integer || json.kind == Json::Kind::real; }

}  // namespace

bool has_lora_form(std::string_view name, const TensorInfo& info) {
  return name.ends_with(".weight") && (info.dims.size() == 1 || info.dims.size() == 2 || info.dims.size() == 4);
}

void add_peft_names(LoraDictionary& names, LoraPart part, const TensorIndex& network) {
  const ModuleMap to_ldm(part == LoraPart::unet ? unet_modules(network) : std::vector<ModuleName>{},
                         ModuleMap::To::foreign);
  constexpr std::string_view kTextModel = "text_model.";
  for (const auto& [name, info] : network) {
    if (!has_lora_form(name, info)) continue;
    const std::string path = name.substr(0, name.size() - std::string_view(".weight").size());
    const LoraTarget target{part, name};
    for (const std::string& prefix : prefixes(part)) {
      names.emplace(prefix + path, target);
      // Newer transformers has the plain text model without `text_model.`.
      if (part != LoraPart::unet && path.starts_with(kTextModel))
        names.emplace(prefix + path.substr(kTextModel.size()), target);
    }
    if (const std::string ldm = to_ldm(path); !ldm.empty()) {
      names.emplace("diffusion_model." + ldm, target);
      names.emplace("model.diffusion_model." + ldm, target);
      names.emplace("base_model.model.diffusion_model." + ldm, target);
    }
  }
}

const char* factor_text(LoraFactor factor) {
  for (const Ending& ending : kEndings)
    if (ending.factor == factor) return ending.word;
  return "";
}

std::optional<LoraKey> parse_lora_key(std::string_view name) {
  const std::string plain = without_adapter_name(name);
  for (const Ending& ending : kEndings) {
    if (!plain.ends_with(ending.text) || plain.size() == ending.text.size()) continue;
    std::string module = plain.substr(0, plain.size() - ending.text.size());
    if (ending.text.front() == '_') module = processor_module(std::move(module));
    return LoraKey{std::move(module), ending.factor};
  }
  if (const char* form = foreign_form(name))
    return LoraKey{std::string(name.substr(0, name.rfind('.'))), LoraFactor::unsupported, form};
  return std::nullopt;
}

// The entry is {"unet": {"r": 4, "lora_alpha": 2}} or, as diffusers packs it, {"unet.r": 4, "unet.lora_alpha": 2}.
PeftScale::PeftScale(const TensorSource& source) {
  const auto entry = source.metadata.find("lora_adapter_metadata");
  if (entry == source.metadata.end()) return;
  const Json root = parse_json(entry->second, source.label + ", metadata lora_adapter_metadata", 8, 10'000);
  for (const LoraPart part : {LoraPart::unet, LoraPart::text, LoraPart::text2}) {
    const Json* nested = root.find(component(part));
    const auto value = [&](const std::string& key) -> const Json* {
      const Json* flat = root.find(std::string(component(part)) + "." + key);
      return flat ? flat : nested ? nested->find(key) : nullptr;
    };
    Config& config = configs_[part];
    if (const Json* alpha = value("lora_alpha"); alpha && is_number(*alpha)) config.alpha = alpha->real;
    if (const Json* rslora = value("use_rslora")) config.rslora = rslora->boolean;
    if (const Json* patterns = value("alpha_pattern"))
      for (const auto& [module, alpha] : patterns->members)
        if (is_number(alpha)) config.patterns[module] = alpha.real;
  }
}

float PeftScale::of(const LoraTarget& target, int64_t rank) const {
  const auto at = configs_.find(target.part);
  if (at == configs_.end()) return 1;
  const Config& config = at->second;
  std::optional<double> alpha = config.alpha;
  for (const auto& [module, own] : config.patterns) {
    const std::string weight = module + ".weight";
    if (target.path == weight || target.path.ends_with("." + weight)) alpha = own;
  }
  if (!alpha || *alpha == 0) return 1;
  const double r = static_cast<double>(rank);
  return static_cast<float>(*alpha / (config.rslora ? std::sqrt(r) : r));
}

}  // namespace ipa
