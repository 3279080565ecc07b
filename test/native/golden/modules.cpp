// Single layers: what the layer is follows from the class of its weights, without weights from its tensors.
#include <cmath>
#include <cstring>
#include <string>

#include "golden/compare.h"
#include "golden/kinds.h"
#include "models/modules.h"
#include "plan/builder.h"

namespace ipa::golden {

namespace {

using test::Golden;
using test::GoldenModel;

std::string weightless_layer(const Golden& g) {
  if (g.has("in/q")) return "ScaledDotProductAttention";
  if (g.has("in/t")) return "Timesteps";
  if (g.has("out/eps1e-05")) return "GroupNorm";
  if (g.has("out/quick_gelu")) return "Activations";
  return "LayerNorm";
}

// Norms: scale and shift are inputs of the case.
TensorSource stored_norm(const Golden& g) {
  TensorSource source;
  source.label = g.name;
  for (const std::string part : {"weight", "bias"})
    if (g.has("in/" + part)) source.index["norm." + part].dims = g["in/" + part].dims;
  source.read = [&g](const std::string& tensor, uint64_t first, std::span<std::byte> out) {
    const std::vector<float> values = g["in/" + tensor.substr(std::strlen("norm."))].f32();
    std::memcpy(out.data(), std::as_bytes(std::span(values)).data() + first, out.size());
  };
  return source;
}

void check_module(Level& level, const std::string& name, Verdict& verdict) {
  const Golden g(name);
  const ConfigFacts config = g.info.has("config") ? test::facts(g.info["config"]) : ConfigFacts{};
  std::string layer = weightless_layer(g);
  TensorSource source = stored_norm(g);
  if (g.info.has("weights")) {
    const GoldenModel model(g.info["weights"].string);
    layer = model.kind == "Identity" ? "GuidanceEmbedding" : model.kind;  // it has no weights
    source = weights(model);
  }
  const auto record = modules().find(layer);
  if (record == modules().end()) return verdict.fault("no layer of class " + layer + " is known");

  ModuleInputs shapes;
  test::Tensors in;
  for (const auto& [key, tensor] : g.tensors) {
    if (!key.starts_with("in/") || key == "in/weight" || key == "in/bias") continue;
    shapes[key.substr(3)] = test::nhwc_shape(tensor.dims);
    in[key.substr(3)] = test::nhwc(tensor);
  }
  float angle = 0;
  if (layer == "GuidanceEmbedding")
    for (float& w : in.at("w")) angle = std::max(angle, std::abs(w *= 1000));  // the layer is given 1000 * w

  Builder b;
  record->second(b, shapes, config);
  const Compute with = compute_of(level, g);
  const test::Tensors got = test::run(level.machine, b.finish(), in, source, with);
  if (angle == 0) return compare(verdict, g, got, with);
  // trap: the angles reach 1000 * w, where f32 has steps of 1/64: the last bit of a frequency moves the sine by one
  // step. The reference's exp is off by that bit at two of 128 frequencies; ours is rounded correctly.
  const double step = static_cast<double>(std::nextafter(angle, INFINITY)) - static_cast<double>(angle);
  const std::vector<float> want = g["out/y"].f32();
  verdict.close("out/y", got.at("y"), want, g.tolerance() * test::rms(want) + step);
}

}  // namespace

void add_modules(Kinds& kinds) { kinds["module"] = {check_module}; }

}  // namespace ipa::golden
