// Projectors alone.
#include <optional>
#include <string>
#include <variant>

#include "golden/case_tensors.h"
#include "golden/compare.h"
#include "golden/kinds.h"
#include "models/adapters.h"
#include "models/image_projection.h"
#include "plan/builder.h"

namespace ipa::golden {

namespace {

using test::Golden;
using test::GoldenModel;

void check_projector(Level& level, const std::string& name, Verdict& verdict) {
  const Golden g(name);
  const GoldenModel model(g.info["weights"].string);
  const Projector projector = detect_projector(model.index, "");
  test::Tensors in;
  ProjectorInput size;
  for (auto& [input, given] : inputs(g)) {
    size.n = given.dims[0];
    if (input == "faces") size.faces = given.dims.at(1);
    if (input == "hidden") size.tokens = given.dims.at(1);
    in[input == "faces" ? "id" : input] = std::move(given.values);
  }
  const auto tokens = [&](std::optional<float> structure_scale) {
    size.shortcut = structure_scale.has_value() || !std::holds_alternative<FaceIdPlusConfig>(projector);
    if (structure_scale) in["s_scale"] = {*structure_scale};
    Builder b;
    record_projector(b, projector, size, "");
    return test::run(level.machine, b.finish(), in, weights(model), Compute::f32).at("tokens");
  };
  for (const auto& [key, tensor] : g.tensors) {
    if (!key.starts_with("out/")) continue;
    const std::string form = key.substr(4);  // "tokens", of FaceID Plus "v1" or "v2_s1.5"
    std::optional<float> scale;
    if (form.starts_with("v2_s")) scale = std::stof(form.substr(4));
    compare(verdict, g, key, stored_rows(g, key, tokens(scale), size.n));
  }
}

}  // namespace

void add_projectors(Kinds& kinds) { kinds["projector"] = {check_projector}; }

}  // namespace ipa::golden
