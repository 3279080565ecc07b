#include "golden/unet_case.h"

#include <utility>

#include "golden/case_tensors.h"
#include "runtime/recorders.h"

namespace ipa::golden {

using test::Golden;
using test::GoldenModel;

std::string unet_prefix(const Golden& g) {
  const test::Json& prefixes = g.info["weights"];
  return prefixes.kind == test::Json::Kind::string ? prefixes.string : prefixes["unet"].string;
}

UNetCase::UNetCase(Level& level, const Golden& g, GoldenModel model)
    : g_(g),
      model_(std::move(model)),
      config_(detect_unet(model_.index, model_.config)),
      with_(compute_of(level, g)),
      network_(level.device, unet_plans(config_, with_), weights(model_), {}) {}

UNetRequest told_by(const Golden& g, const UNetConfig& config) {
  UNetRequest request;
  request.x = input(g, "x").shape;
  request.context = input(g, "context");
  if (config.added_conditioning()) {
    request.pooled = input(g, g.has("in/pooled") ? "pooled" : "text_embeds");
    request.time_ids = input(g, "time_ids");
  }
  request.timesteps = {g.info["timestep"].number};
  return request;
}

test::Tensors UNetCase::eps(std::vector<ImagePromptTokens> prompts, std::vector<float> scales,
                            const std::vector<Control>& controls) {
  UNetRequest request = told_by(g_, config_);
  request.prompts = std::move(prompts);
  request.taps = taps(g_);
  announce(controls, config_, request);

  UNetRun run(network_, config_, request, StopFlag{});
  ControlRun steered(controls, config_, request, network_.device().backend, StopFlag{});
  scales.resize(run.cells());
  steered.set_cells(/*step=*/0, run, scales);
  run.set_scales(scales);
  run.step().set("x", input(g_, "x").data);
  steered.forward(/*call=*/0, /*step=*/0, run, StopFlag{});
  run.forward(/*call=*/0, StopFlag{}, /*check=*/true);
  test::Tensors got = bare(run.taps());
  got["eps"] = run.step().get("eps").data;
  return got;
}

}  // namespace ipa::golden
