#pragma once
// A network of test/golden/models: its tensor list and config, as detection wants them.
#include <string>
#include <utility>
#include <vector>

#include "core/tensor_index.h"
#include "golden.h"
#include "models/configs.h"

namespace ipa::test {

inline ConfigFacts facts(const Json& config) {
  ConfigFacts f;
  for (const auto& [key, value] : config.object) {
    if (value.kind == Json::Kind::number) f.numbers[key] = {value.number};
    if (value.kind == Json::Kind::boolean) f.numbers[key] = {value.boolean ? 1.0 : 0.0};
    if (value.kind == Json::Kind::string) f.texts[key] = value.string;
    if (value.kind == Json::Kind::array && !value.array.empty() && value[0].kind == Json::Kind::number)
      f.numbers[key] = value.numbers();
  }
  return f;
}

struct GoldenModel {
  explicit GoldenModel(const std::string& prefix) : prefix(prefix) {
    const Json json = golden_json("models/" + prefix + ".json");
    kind = json["class"].string;
    if (json.has("config")) config = facts(json["config"]);
    for (const auto& [name, dims] : json["tensors"].object) {
      TensorInfo& info = index[name];
      for (double d : dims.numbers()) info.dims.push_back(static_cast<int64_t>(d));
    }
    if (json.has("factors"))
      for (const auto& [end, factor] : json["factors"].object)
        factors.emplace_back(end, static_cast<float>(factor.number));
  }

  std::string prefix, kind;
  ConfigFacts config;
  TensorIndex index;
  std::vector<std::pair<std::string, float>> factors;
};

}  // namespace ipa::test
