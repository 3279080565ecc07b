#pragma once
// One UNet (or ControlNet) made ready for one request: text and image K/V and the time rows of all steps are computed
// once and stay where the backend has its memory, then forward() runs the step plan. Everything is allocated here,
// nothing in forward().
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "image/mask_grid.h"
#include "models/configs.h"
#include "runtime/free_u.h"
#include "runtime/network.h"
#include "runtime/wording.h"

namespace ipa {

// What V of every token, and K and V of every site, are multiplied by besides; empty: nothing. See ImageKvOptions.
struct ImageKvFactors {
  std::vector<float> token_gains;  // one per token
  std::vector<float> site_gains;   // three per site, execution order
};

struct ImagePromptTokens {
  Network* adapter;
  Tensor tokens;                        // [N, 1, T, D], rows as the UNet's batch
  std::optional<RegionMask> mask = {};  // the same for all rows
  ImageKvFactors factors = {};
};

struct UNetRequest {
  Shape x;                  // [N, h, w, Cin]
  Tensor context;           // [N, 1, T, D]
  Tensor pooled, time_ids;  // SDXL: [N, 1, 1, P], [N, 1, 1, 6]; else empty
  std::vector<ImagePromptTokens> prompts;
  std::vector<double> timesteps;  // one per network call
  std::set<std::string, std::less<>> taps;
  bool control = false;      // it takes a ControlNet's residuals
  int features = 0;          // it takes a T2I-Adapter's features, of so many levels
  bool feature_mid = false;  // and one in the middle
  std::optional<FreeU> free_u = {};
  bool keeps = false;    // it leaves "kept" for a shallow one
  bool shallow = false;  // it begins with what another one kept
  // In place of context, pooled and time_ids: texts that change with the calls, one choice per row and call.
  std::vector<Condition> conditions = {};
  RowChoices choices = {};
};

class UNetRun {
 public:
  UNetRun(Network& unet, const UNetConfig& config, const UNetRequest& request, const StopFlag& stop);

  // Number of scale cells: cell = site * prompts + prompt, sites in execution order; then that of all residuals and
  // that of all features, where it takes them.
  size_t cells() const { return cells_; }
  size_t control_cell() const { return cells_ - (features_ ? 2 : 1); }
  size_t feature_cell() const { return cells_ - 1; }
  // The scales of all calls, cells() numbers each. All are 0 before.
  void set_scales(std::span<const float> of_calls);
  // Where forward() reads its latents, shaped as in the request, and leaves its result.
  Place x() const { return step_.input("x"); }
  Place eps() const { return step_.output("eps"); }
  // What a run that keeps leaves, and a shallow one begins with: bytes of a row.
  size_t kept_bytes() const;
  // `call` counts timesteps.
  void forward(int call, const StopFlag& stop, bool check = false);
  Tensors taps() const;  // of the last forward
  Prepared& step() { return step_; }
  const Prepared& step() const { return step_; }
  Network& network() const { return unet_; }

 private:
  void take_texts(const UNetRequest& r, const StopFlag& stop);
  void keep_times(const UNetConfig& config, const UNetRequest& r, const StopFlag& stop);

  Network& unet_;
  const char* plan_;    // its name
  Network::Turn held_;  // the programs of a run stay
  std::shared_ptr<Prepared> lent_;
  Prepared& step_;
  Tensors schedule_taps_;
  size_t calls_, cells_ = 0;
  bool features_;
  Memory rows_;  // of all calls: time rows and scales
  Place scales_;
  std::vector<Copy> first_;  // what moves on with every call: its first rows, one behind the other from call to call
  std::vector<Copy> now_;
  std::optional<Wording> wording_;
};

}  // namespace ipa
