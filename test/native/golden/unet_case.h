#pragma once
// One forward pass of a UNet as a case describes it, through the engine's own UNetRun.
#include <string>
#include <vector>

#include "golden/compare.h"
#include "golden/kinds.h"
#include "models/configs.h"
#include "runtime/control_run.h"
#include "runtime/unet_run.h"

namespace ipa::golden {

// What a UNet or ControlNet of these is told by the case.
UNetRequest told_by(const test::Golden& g, const UNetConfig& config);

// The prefix of the case's UNet: `weights` is that prefix or names one per network.
std::string unet_prefix(const test::Golden& g);

class UNetCase {
 public:
  UNetCase(Level& level, const test::Golden& g, test::GoldenModel model);

  const UNetConfig& config() const { return config_; }
  Network& network() { return network_; }
  Compute computed_with() const { return with_; }
  // "eps" and the case's taps. `scales` as UNetRun wants them: site by site, one number per image prompt.
  test::Tensors eps(std::vector<ImagePromptTokens> prompts, std::vector<float> scales,
                    const std::vector<Control>& controls = {});

 private:
  const test::Golden& g_;
  test::GoldenModel model_;
  UNetConfig config_;
  Compute with_;
  Network network_;
};

}  // namespace ipa::golden
