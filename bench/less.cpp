// What runs that leave work out take of the whole run's time: SD1.5 at 512 x 512 with guidance, twenty steps. Each share is of
// network calls alone: T of those that the run makes, divided by T of as many whole ones.
#include <algorithm>

#include "rows.h"
#include "runtime/calls.h"
#include "runtime/recorders.h"
#include "weights/synthetic.h"

namespace ipa::bench {

namespace {

constexpr int kSteps = 20, kTokens = 77;
constexpr int kWarm = 3;  // steps that make every kind of call but those outside the window
constexpr Shape kLatents{1, 64, 64, 4};

// The first `steps` steps of a run with the given window and reuse.
SampleRequest run_of(const UNetConfig& config, const std::vector<float>& window, int every, int steps) {
  SampleRequest r;
  r.height = kLatents.h, r.width = kLatents.w;
  const Shape context{1, 1, kTokens, config.context};
  r.context = {context, synthetic_signal("context", static_cast<size_t>(context.size()))};
  r.negative_context = {context, synthetic_signal("negative", static_cast<size_t>(context.size()))};
  r.guidance_scale = 7.5;
  for (int step = 0; step < steps; ++step) {
    StepRow row;
    row.step = step, row.timestep = 999 - 50 * step;
    StepUpdate update;
    update.x = 1, update.outputs = {-0.1};
    row.updates = {update};
    r.rows.push_back(row);
  }
  r.guidance_window = window, r.reuse_every = every;
  return r;
}

}  // namespace

void less_rows(Bench& b, const std::string& level, int threads) {
  std::vector<float> half(kSteps, 0.0f);
  for (int step = 0; 2 * step <= kSteps; ++step) half[static_cast<size_t>(step)] = 1;
  const struct {
    std::string name;
    std::vector<float> window;
    int every;
  } ways[] = {{"less guidanceEnd 0.5 of a run", half, 1},
              {"less reuse 2 of a run", {}, 2},
              {"less reuse 3 of a run", {}, 3},
              {"less both of a run", half, 2}};
  if (std::none_of(std::begin(ways), std::end(ways), [&](const auto& way) { return b.wants(way.name); })) return;
  const std::shared_ptr<Device> device = cpu_device(level, threads);
  const UNetConfig config = sd15();
  const std::map<std::string, PlanKind> plans = unet_plans(config, device->backend.fastest);
  Network network(device, plans, halved(synthetic("bench", index_of(wants_of(plans)))), {});
  const auto run = [&](const std::vector<float>& window, int every, int steps) {
    sample(network, config, run_of(config, window, every, steps), {}, StopFlag{});
  };
  for (const auto& [name, window, every] : ways) {
    if (!b.wants(name)) continue;
    run({}, 1, kWarm), run(window, every, kWarm);  // all programs are there
    b.report(b.ratio(name, [&] { run(window, every, kSteps); }, [&] { run({}, 1, kSteps); }));
  }
}

}  // namespace ipa::bench
