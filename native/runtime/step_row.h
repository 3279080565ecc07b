#pragma once
// The step loop's arithmetic: rows that a sampler wrote (lib/schedulers/row.ts is the contract), run on latents. Which
// sampler wrote them makes no difference here.
#include <array>
#include <span>
#include <vector>

namespace ipa {

struct StepUpdate {
  double x = 0, saved = 0;
  std::vector<double> outputs;  // factors of kept outputs, newest first, at most four
  double noise = 0;
  bool draws = false;  // takes fresh normal numbers, also where noise is 0
  bool save_x = false;
};

struct StepRow {
  int step = 0;  // outer step
  double timestep = 0, input_scale = 1;
  double keep_x = 0, keep_out = 1;
  bool push = true;  // store: push, else replace the newest
  std::vector<StepUpdate> updates;
};

// State of one run: x, one saved x, up to four kept outputs. All of the latents' size, allocated once.
class StepState {
 public:
  explicit StepState(std::vector<float> x);
  std::span<const float> x() const { return x_; }
  // `out`: the network's result, guidance included. `draw` fills a span with fresh normal numbers.
  template <typename Draw>
  void apply(const StepRow& row, std::span<const float> out, Draw&& draw) {
    keep(row, out);
    for (const StepUpdate& update : row.updates) {
      if (update.draws) draw(std::span<float>(noise_));
      run(update);
    }
  }

 private:
  void keep(const StepRow& row, std::span<const float> out);
  void run(const StepUpdate& update);

  std::vector<float> x_, saved_, next_, noise_;
  std::array<std::vector<float>, 4> kept_;
};

// e_u + scale (e_c - e_u), and with rescale > 0 the spread of e_c brought back.   source: arXiv 2305.08891, 3.4
void guide(std::span<const float> unconditional, std::span<const float> conditional, double scale, double rescale,
           std::span<float> out);

}  // namespace ipa
