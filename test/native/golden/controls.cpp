// ControlNets and T2I-Adapters, alone and steering a UNet, run as the engine runs them.
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "golden/case_tensors.h"
#include "golden/compare.h"
#include "golden/kinds.h"
#include "golden/unet_case.h"
#include "models/controlnet.h"
#include "models/t2i_adapter.h"
#include "models/unet.h"
#include "runtime/control_run.h"
#include "runtime/recorders.h"

namespace ipa::golden {

namespace {

using test::Golden;
using test::GoldenModel;

std::string prefix_of(const Golden& g, const std::string& part) {
  const test::Json& prefixes = g.info["weights"];
  return prefixes.kind == test::Json::Kind::string ? prefixes.string : prefixes[part].string;
}

// Of every residual, the middle's last. source: diffusers, guess mode: logspace(-1, 0, n)
std::vector<float> strengths(const Golden& g, size_t count) {
  const double scale = g.info.has("conditioning_scale") ? g.info["conditioning_scale"].number : 1;
  const bool guess = g.info.has("guess_mode") && g.info["guess_mode"].boolean;
  std::vector<float> all;
  for (size_t k = 0; k < count; ++k)
    all.push_back(static_cast<float>(
        scale * (guess ? std::pow(10.0, -1 + static_cast<double>(k) / static_cast<double>(count - 1)) : 1)));
  return all;
}

// The ControlNet's own results, times their strengths.
test::Tensors residuals(Network& network, const ControlNetConfig& config, const Golden& g,
                        const std::vector<float>& factors) {
  UNetRun run(network, config.unet, told_by(g, config.unet), StopFlag{});
  run.step().set("x", input(g, "x").data);
  run.step().set("hint", network.run("hint", {{"image", input(g, "hint")}}, {}, {}, StopFlag{}, true).at("hint").data);
  run.forward(/*call=*/0, StopFlag{}, /*check=*/true);
  test::Tensors got;
  for (size_t k = 0; k < factors.size(); ++k) {
    const std::string name = "residual." + (k + 1 < factors.size() ? std::to_string(k) : "mid");
    std::vector<float>& values = got[name] = run.step().get(name).data;
    for (float& value : values) value *= factors[k];
  }
  return got;
}

void check_controlnet(Level& level, const std::string& name, Verdict& verdict) {
  const Golden g(name);
  const GoldenModel model(prefix_of(g, "controlnet"));
  const ControlNetConfig config = detect_controlnet(model.index, model.config);
  const Compute with = compute_of(level, g);
  Network network(level.device, controlnet_plans(config, with), weights(model), {});
  const std::vector<float> factors = strengths(g, strengths_of(config));
  test::Tensors got = residuals(network, config, g, factors);
  if (g.info["weights"].kind != test::Json::Kind::string) {
    UNetCase unet(level, g, GoldenModel(unet_prefix(g)));
    check_fit(config, unet.config(), name);
    got["eps"] = unet.eps({}, {}, {{&network, config, input(g, "hint"), factors, {1}, false}}).at("eps");
  }
  compare(verdict, g, got, with);
}

void check_t2i_adapter(Level& level, const std::string& name, Verdict& verdict) {
  const Golden g(name);
  const GoldenModel model(prefix_of(g, "adapter"));
  const T2iAdapterConfig config = detect_t2i_adapter(model.index, model.config);
  const Compute with = compute_of(level, g);
  Network network(level.device, t2i_adapter_plans(config, with), weights(model), {});
  test::Tensors got = bare(network.run("features", {{"image", input(g, "image")}}, {}, {}, StopFlag{}, true));
  UNetCase unet(level, g, GoldenModel(unet_prefix(g)));
  const std::vector<float> factors(strengths_of(config), static_cast<float>(g.info["scale"].number));
  got["eps"] = unet.eps({}, {}, {{&network, config, input(g, "image"), factors, {1}, false}}).at("eps");
  compare(verdict, g, got, with);
}

}  // namespace

void add_controls(Kinds& kinds) {
  kinds["network/controlnet"] = {check_controlnet};
  kinds["network/t2i-adapter"] = {check_t2i_adapter};
}

}  // namespace ipa::golden
