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

test::Tensors UNetCase::eps(std::vector<ImagePromptTokens> prompts, const std::vector<float>& scales) {
  UNetRequest request;
  const Tensor x = input(g_, "x");
  request.x = x.shape;
  request.context = input(g_, "context");
  if (config_.added_conditioning()) {
    request.pooled = input(g_, g_.has("in/pooled") ? "pooled" : "text_embeds");
    request.time_ids = input(g_, "time_ids");
  }
  request.prompts = std::move(prompts);
  request.timesteps = {g_.info["timestep"].number};
  request.taps = taps(g_);

  UNetRun run(network_, config_, request, StopFlag{});
  run.set_scales(scales);
  run.step().set("x", x.data);
  run.forward(/*call=*/0, StopFlag{}, /*check=*/true);
  test::Tensors got = bare(run.taps());
  got["eps"] = run.step().get("eps").data;
  return got;
}

}  // namespace ipa::golden
