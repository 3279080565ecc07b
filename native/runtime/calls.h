#pragma once
// The network calls of a run, each of as much as it needs: outside the window of guidance only the positive rows of the
// batch, in steps that reuse deep features only the outermost level. Each such way to call is a step plan of its own,
// made ready once; weights are the same.
#include <array>
#include <memory>
#include <vector>

#include "runtime/control_run.h"
#include "runtime/feed.h"
#include "runtime/sample.h"

namespace ipa {

// Rows of the batch that are computed together, and what they are told.
struct Half {
  std::vector<size_t> rows;     // of the batch
  std::vector<double> weights;  // of the positive ones alone: what they are summed with
};

// The positive rows of a guided batch. Of texts that are summed those of positive weight, with weights of sum 1: at a
// guidance scale of 1, u + sum of w (c - u) has no u left where the weights are such, and what is steered away from is
// guidance.
Half positive_half(const SampleRequest& request);

// How a call is made.
struct Way {
  bool guided;   // all rows of the batch; else the positive ones, or all that a run without guidance has
  bool shallow;  // from what an earlier call kept
};
// Of every call. The first and the last step are whole, and a guided one where the last whole one kept no negative
// rows. All calls of a step are alike: the second call of a Heun step is made where the next step begins, whose
// features are then kept from the very same noise.
std::vector<Way> ways_of(const SampleRequest& request);

class Calls {
 public:
  Calls(Network& unet, const UNetConfig& config, const SampleRequest& request, const Start& start,
        const StopFlag& stop);

  // What the network says of the latents in this call, guidance included.
  Place operator()(size_t call, const StepState& state, const StopFlag& stop);

 private:
  struct Part {
    std::unique_ptr<UNetRun> run;
    std::unique_ptr<Feed> feed;
  };
  // A half made ready. Controls refer to what they were told.
  struct Ready {
    Half half;
    std::vector<Control> controls;
    UNetRequest told;
    Part whole, shallow;
    std::unique_ptr<ControlRun> steering;
    size_t holds = 0;  // 1 + the call that made what `shallow` begins with
  };

  void make_ready(Way way, const UNetRequest& all, const Start& start, const StopFlag& stop);
  Part part(const Ready& half, const Start& start, const StopFlag& stop);
  // Brings the rows that were kept last into the shallow plan of `half`.
  void take_kept(Ready& half);

  Network& unet_;
  const UNetConfig& config_;
  const SampleRequest& request_;
  const std::vector<Way> ways_;
  size_t bytes_;                                  // of a row of the result
  std::array<std::unique_ptr<Ready>, 2> halves_;  // not guided, guided
  const Ready* keeper_ = nullptr;                 // the half that was computed whole last
  size_t kept_ = 0;                               // 1 + the call
};

}  // namespace ipa
