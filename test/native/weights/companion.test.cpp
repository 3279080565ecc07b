// The LoRA of a FaceID adapter in a file of its own: recognised by its numbers, under every name such files have.
#include <algorithm>
#include <functional>

#include "models/conditioning.h"
#include "models/golden_model.h"
#include "models/unet.h"
#include "test.h"
#include "weights/lora.h"
#include "weights/names/ldm.h"
#include "weights/rename.h"
#include "weights/synthetic.h"

namespace {

using namespace ipa;
using namespace ipa::test;

// "down_blocks.0.attentions.0.transformer_blocks.0.attn1", "to_out.0"
using Spelling = std::function<std::string(const std::string& attention, const std::string& layer)>;

struct Form {
  const char* what;
  Spelling module;
  const char *down, *up;
};

std::string underscored(std::string path) {
  std::replace(path.begin(), path.end(), '.', '_');
  return path;
}

// "to_q" -> "q_proj", "to_out.0" -> "out_proj"
std::string proj(const std::string& layer) { return layer == "to_out.0" ? "out_proj" : layer.substr(3) + "_proj"; }
// "to_out.0" -> "to_out"
std::string plain(const std::string& layer) { return layer.substr(0, layer.find('.')); }

struct Adapter {
  explicit Adapter(const std::string& unet_prefix, const std::string& prefix)
      : unet(unet_prefix), model(prefix), file(synthetic(prefix, model.index, model.factors)) {
    CrossAttentions sites;
    for (const AttentionSite& s : attention_sites(detect_unet(unet.index, unet.config))) sites[s.file_index] = s.path;
    inner = adapter_lora(file, sites, unet.index);
  }
  // The numbers of `source` under other names.
  Lora companion(const TensorSource& source, const Form& form) const {
    std::vector<Rename> renames;
    for (const auto& [path, deltas] : inner.parts.at(LoraPart::unet)) {
      const std::string layer_path = path.substr(0, path.rfind(".weight"));
      const size_t at = layer_path.find(".to_");
      const std::string module = form.module(layer_path.substr(0, at), layer_path.substr(at + 1));
      renames.push_back({module + form.down, deltas[0].tensors.at(LoraFactor::down)});
      renames.push_back({module + form.up, deltas[0].tensors.at(LoraFactor::up)});
    }
    const LoraNetwork networks[] = {{LoraPart::unet, unet.index}};
    return open_lora(renamed(source, renames), networks);
  }

  GoldenModel unet, model;
  TensorSource file;
  Lora inner;
};

std::vector<Form> forms(const ModuleMap& to_ldm) {
  const auto spelled = [](const char* prefix, const char* between, auto layer_of) -> Spelling {
    return [=](const std::string& attention, const std::string& layer) {
      return prefix + attention + between + layer_of(layer);
    };
  };
  const auto same = [](const std::string& layer) { return layer; };
  const auto kohya = [](const char* prefix, auto layer_of) -> Spelling {
    return [=](const std::string& attention, const std::string& layer) {
      return prefix + underscored(attention + "." + layer_of(layer));
    };
  };
  const Spelling original = [&to_ldm](const std::string& attention, const std::string& layer) {
    return "lora_unet_" + underscored(to_ldm(attention + "." + layer));
  };
  const char *down = ".lora_down.weight", *up = ".lora_up.weight";
  const char *processor_down = "_lora.down.weight", *processor_up = "_lora.up.weight";
  return {
      {"kohya", kohya("lora_unet_", same), down, up},
      {"kohya without prefix", kohya("", same), down, up},
      {"q_proj", kohya("lora_unet_", proj), down, up},
      {"q_proj without prefix", kohya("", proj), down, up},
      {"original layout", original, down, up},
      {"PEFT", spelled("unet.", ".", same), ".lora_A.weight", ".lora_B.weight"},
      {"PEFT, raw", spelled("base_model.model.", ".", same), ".lora_A.default.weight", ".lora_B.default.weight"},
      {"processor", spelled("unet.", ".processor.", plain), processor_down, processor_up},
      {"processor without prefix", spelled("", ".processor.", plain), processor_down, processor_up},
  };
}

}  // namespace

TEST("a companion file with an adapter's own numbers is recognised under every name, one with others is not") {
  for (const auto& [unet, prefix] : {std::pair{"unet15", "ipa-faceid15"}, {"unetxl", "ipa-faceidxl"}}) {
    const Adapter adapter(unet, prefix);
    const TensorSource others = synthetic("other", adapter.model.index, adapter.model.factors);
    const ModuleMap to_ldm(unet_modules(adapter.unet.index), ModuleMap::To::foreign);
    EXPECT(adapter.inner.modules() >= 100);
    for (const Form& form : forms(to_ldm)) {
      const Lora companion = adapter.companion(adapter.file, form);
      EXPECT_EQ(std::string(form.what) + " " + std::to_string(companion.unmatched.size()),
                std::string(form.what) + " 0");
      EXPECT_EQ(companion.modules(LoraPart::unet), adapter.inner.modules());
      EXPECT(same_deltas(adapter.inner, companion) && same_deltas(companion, adapter.inner));
      EXPECT(!same_deltas(adapter.inner, adapter.companion(others, form)));
    }
  }
}

TEST("a companion of another part, of fewer layers or another strength is not the adapter's") {
  const Adapter adapter("unet15", "ipa-faceid15");
  const Form kohya = {"", [](const auto& a, const auto& l) { return "lora_unet_" + underscored(a + "." + l); },
                      ".lora_down.weight", ".lora_up.weight"};
  Lora fewer = adapter.companion(adapter.file, kohya), scaled = adapter.companion(adapter.file, kohya),
       text = adapter.companion(adapter.file, kohya);
  auto& layers = fewer.parts.at(LoraPart::unet);
  layers.erase(layers.begin());
  EXPECT(!same_deltas(adapter.inner, fewer));
  scaled.parts.at(LoraPart::unet).begin()->second[0].scale = 0.5f;
  EXPECT(!same_deltas(adapter.inner, scaled));
  text.parts[LoraPart::text] = text.parts.at(LoraPart::unet);
  EXPECT(!same_deltas(adapter.inner, text));
  EXPECT_EQ(text.modules(), 2 * text.modules(LoraPart::text));
}
