// Projectors alone. Inputs are stored or follow from `signals`; a stored output may hold some token rows only.
#include <optional>
#include <string>
#include <variant>

#include "golden/compare.h"
#include "golden/kinds.h"
#include "models/adapters.h"
#include "models/image_projection.h"
#include "plan/builder.h"
#include "weights/synthetic.h"

namespace ipa::golden {

namespace {

using test::Golden;
using test::GoldenModel;

struct Input {
  Dims dims;
  std::vector<float> values;
};

std::map<std::string, Input> inputs(const Golden& g) {
  std::map<std::string, Input> in;
  for (const auto& [key, tensor] : g.tensors)
    if (key.starts_with("in/")) in[key.substr(3)] = {tensor.dims, tensor.f32()};
  if (!g.info.has("signals")) return in;
  for (const auto& [key, signal] : g.info["signals"].object) {
    if (in.contains(key.substr(3))) continue;
    Dims dims;
    for (const double d : signal["shape"].numbers()) dims.push_back(static_cast<int64_t>(d));
    const double scale = signal.has("scale") ? signal["scale"].number : 1;
    in[key.substr(3)] = {dims, synthetic_signal(signal["name"].string, static_cast<size_t>(product(dims)), scale)};
  }
  return in;
}

// The token rows that the case stores: all, those it lists, or every fifth from 0.
std::vector<float> stored_rows(const Golden& g, const std::string& key, const std::vector<float>& tokens,
                               int64_t batch) {
  if (!g.info.has("rows")) return tokens;
  const Dims& stored = g[key].dims;  // [batch, rows, D]
  const int64_t width = stored.at(2), count = static_cast<int64_t>(tokens.size()) / width / batch;
  std::vector<int64_t> rows;
  if (g.info["rows"].kind == test::Json::Kind::array)
    for (const double row : g.info["rows"].numbers()) rows.push_back(static_cast<int64_t>(row));
  else
    for (int64_t row = 0; row < count; row += 5) rows.push_back(row);
  std::vector<float> kept;
  for (int64_t n = 0; n < batch; ++n)
    for (const int64_t row : rows) {
      if (row >= count)
        throw std::runtime_error("the case stores row " + std::to_string(row) + " of " + std::to_string(count));
      const auto from = tokens.begin() + (n * count + row) * width;
      kept.insert(kept.end(), from, from + width);
    }
  return kept;
}

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
