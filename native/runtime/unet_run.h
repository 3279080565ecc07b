#pragma once
// One UNet made ready for one request: text and image K/V and the time rows of all steps are computed once, then
// forward() runs the step plan. Everything is allocated here, nothing in forward().
#include <span>
#include <vector>

#include "models/configs.h"
#include "runtime/network.h"

namespace ipa {

struct ImagePromptTokens {
  Network* adapter;
  Tensor tokens;  // [N, 1, T, D], rows as the UNet's batch
};

struct UNetRequest {
  Shape x;                  // [N, h, w, Cin]
  Tensor context;           // [N, 1, T, D]
  Tensor pooled, time_ids;  // SDXL: [N, 1, 1, P], [N, 1, 1, 6]; else empty
  std::vector<ImagePromptTokens> prompts;
  std::vector<double> timesteps;  // one per network call
  std::set<std::string, std::less<>> taps;
};

class UNetRun {
 public:
  UNetRun(Network& unet, const UNetConfig& config, const UNetRequest& request, const StopFlag& stop);

  // Number of scale cells: cell = site * prompts + prompt, sites in execution order.
  size_t cells() const { return scales_.size(); }
  // x and eps as in the request; `scales` has cells() numbers; `call` counts timesteps.
  void forward(std::span<const float> x, int call, std::span<const float> scales, std::span<float> eps,
               const StopFlag& stop, bool check = false);
  const Tensors& taps() const { return taps_; }  // of the last forward

 private:
  Network& unet_;
  Prepared& step_;
  Tensors text_, schedule_, taps_;
  std::vector<Tensors> images_;
  std::vector<float> scales_;
  Bindings bindings_;
  struct TimeRow {  // an input that moves on with every step
    size_t input;
    const float* first;
    size_t step;  // elements from one step to the next
  };
  std::vector<TimeRow> time_rows_;
  size_t x_input_ = 0, scales_input_ = 0, eps_output_ = 0;
  bool has_scales_ = false;
};

}  // namespace ipa
