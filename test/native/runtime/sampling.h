#pragma once
// A small UNet of each family and a ControlNet with synthetic weights, and runs of the step loop with them.
#include <memory>
#include <string>
#include <vector>

#include "cpu/table.h"
#include "models/golden_model.h"
#include "runtime/recorders.h"
#include "runtime/sample.h"
#include "test.h"
#include "weights/synthetic.h"

namespace ipa::test {

inline constexpr Shape kLatents{1, 8, 6, 4};

inline Tensor signal(const std::string& name, const Shape& shape) {
  return {shape, synthetic_signal(name, static_cast<size_t>(shape.size()))};
}

inline Tensor stacked(const std::vector<Tensor>& rows) {
  Tensor all{rows.at(0).shape, {}};
  all.shape.n = static_cast<int64_t>(rows.size());
  for (const Tensor& row : rows) all.data.insert(all.data.end(), row.data.begin(), row.data.end());
  return all;
}

struct SmallUNet {
  explicit SmallUNet(const std::string& name)
      : model(name),
        config(detect_unet(model.index, model.config)),
        network(cpu_device(cpu::levels()[0]->name, /*threads=*/2), unet_plans(config, Compute::f32),
                synthetic(model.prefix, model.index, model.factors), {}) {}

  Condition condition(const std::string& name) const {
    Condition c{signal(name, {1, 1, 77, config.context}), {}, {}};
    if (!config.added_conditioning()) return c;
    c.pooled = signal(name + " pooled", {1, 1, 1, config.pooled_width});
    c.time_ids = {64, 48, 0, 0, 64, static_cast<float>(name.size())};
    return c;
  }

  UNetRequest request(int64_t rows) const {
    UNetRequest r;
    r.x = kLatents, r.x.n = rows;
    r.timesteps = {901, 601, 301};
    return r;
  }

  // What the network says of a call to these, each row told its own text from the start.
  std::vector<float> told(const std::vector<Condition>& rows, int call) {
    UNetRequest r = request(static_cast<int64_t>(rows.size()));
    std::vector<Tensor> contexts, pooled, ids;
    for (const Condition& c : rows) {
      contexts.push_back(c.context), pooled.push_back(c.pooled);
      ids.push_back({{1, 1, 1, static_cast<int64_t>(c.time_ids.size())}, c.time_ids});
    }
    r.context = stacked(contexts);
    if (config.added_conditioning()) r.pooled = stacked(pooled), r.time_ids = stacked(ids);
    UNetRun run(network, config, r, StopFlag{});
    return eps(run, r, call);
  }

  static std::vector<float> eps(UNetRun& run, const UNetRequest& r, int call) {
    run.step().set("x", stacked(std::vector<Tensor>(static_cast<size_t>(r.x.n), signal("x", kLatents))).data);
    run.forward(call, StopFlag{}, /*check=*/true);
    return run.step().get("eps").data;
  }

  GoldenModel model;
  UNetConfig config;
  Network network;
};

// Euler's rows of a run in which every call is a step.
inline SampleRequest sampling(int steps) {
  SampleRequest r;
  r.height = kLatents.h, r.width = kLatents.w;
  for (int step = 0; step < steps; ++step) {
    StepRow row;
    row.step = step, row.timestep = 900 - 200 * step, row.input_scale = 0.5;
    StepUpdate update;
    update.x = 1, update.outputs = {-0.4};
    row.updates = {update};
    r.rows.push_back(row);
  }
  r.guidance_scale = 4;
  return r;
}

// A ControlNet that steers every step.
struct Steering {
  Steering()
      : model("controlnet15"),
        config(detect_controlnet(model.index, model.config)),
        network(cpu_device(cpu::levels()[0]->name, /*threads=*/2), controlnet_plans(config, Compute::f32),
                synthetic(model.prefix, model.index, model.factors), {}),
        map(signal("map", {1, 64, 48, 3})) {}

  SampleRequest with(SampleRequest r, bool conditional_only) {
    const std::vector<float> strengths(strengths_of(config), 1.0f);
    r.controls = {{&network, config, map, strengths, std::vector<float>(r.rows.size(), 1.0f), conditional_only}};
    return r;
  }

  GoldenModel model;
  ControlNetConfig config;
  Network network;
  Tensor map;
};

}  // namespace ipa::test
