#pragma once
// The step loop's arithmetic: rows that a sampler wrote (lib/schedulers/row.ts is the contract), run on latents. Which
// sampler wrote them makes no difference here.
#include <array>
#include <initializer_list>
#include <span>
#include <vector>

#include "plan/backend.h"

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

// State of one run, in the backend's memory: x, one saved x, up to four kept outputs. All of the latents' size,
// allocated once.
class StepState {
 public:
  StepState(const Backend& backend, std::span<const float> x);
  Place x() const { return x_; }
  void read_x(std::span<float> to) const;
  void write_x(std::span<const float> numbers) const { set(x_, numbers); }
  bool finite() const;
  // x * latents + factor * out, to the host; before apply(), which it has no effect on.
  void read_denoised(double x, double factor, Place out, std::span<float> to) const;
  // to = factor * x
  void scaled(double factor, Place to) const;
  // The network's two results joined; lies in the state's memory until the next call.
  Place guided(Place unconditional, Place conditional, double scale, double rescale) const;
  // u + sum of w_i (c_i - u), of a batch [u, c_1, …], `bytes` a row; lies in the state's memory until the next call.
  // source: arXiv 2206.01714, as the AUTOMATIC1111 web UI sums AND
  Place composed(Place batch, size_t bytes, std::span<const double> weights) const;
  // The sum of w_i row_i of a batch of two rows or more; lies there likewise.
  Place summed(Place batch, size_t bytes, std::span<const double> weights) const;
  // `out`: the network's result, guidance included. `draw` fills a span with fresh normal numbers.
  template <typename Draw>
  void apply(const StepRow& row, Place out, Draw&& draw) {
    keep(row, out);
    for (const StepUpdate& update : row.updates) {
      if (update.draws) {
        draw(std::span<float>(drawn_));
        set(noise_, drawn_);
      }
      run(update);
    }
  }

 private:
  void set(Place to, std::span<const float> numbers) const;
  void combine(Place out, std::initializer_list<Term> terms) const;
  void keep(const StepRow& row, Place out);
  void run(const StepUpdate& update);

  const Backend& backend_;
  size_t count_;  // numbers of the latents
  Memory memory_;
  Place x_, saved_, next_, noise_, guided_, composed_;
  std::array<Place, 4> kept_;  // newest first
  std::vector<float> drawn_;
};

}  // namespace ipa
