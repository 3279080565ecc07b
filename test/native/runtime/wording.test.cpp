// Texts that change with the steps or are summed, through the engine's own UNetRun and step loop.
#include "runtime/wording.h"

#include <memory>
#include <string>
#include <vector>

#include "cpu/table.h"
#include "models/golden_model.h"
#include "runtime/recorders.h"
#include "runtime/sample.h"
#include "test.h"
#include "weights/synthetic.h"

namespace {

using namespace ipa;
using namespace ipa::test;

constexpr Shape kLatents{1, 8, 6, 4};

Tensor signal(const std::string& name, const Shape& shape) {
  return {shape, synthetic_signal(name, static_cast<size_t>(shape.size()))};
}

Tensor stacked(const std::vector<Tensor>& rows) {
  Tensor all{rows.at(0).shape, {}};
  all.shape.n = static_cast<int64_t>(rows.size());
  for (const Tensor& row : rows) all.data.insert(all.data.end(), row.data.begin(), row.data.end());
  return all;
}

struct Case {
  explicit Case(const std::string& name)
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

TEST("each row of each call reads the text that is chosen for it") {
  for (const char* name : {"unet15", "unetxl"}) {
    Case c(name);
    const std::vector<Condition> texts = {c.condition("blurry"), c.condition("a cat"), c.condition("a big dog")};
    UNetRequest r = c.request(3);
    r.conditions = texts;
    r.choices = {{0, 1, 2}, {0, 2, 2}, {1, 0, 2}};
    UNetRun run(c.network, c.config, r, StopFlag{});
    for (int call = 0; call < 3; ++call) {
      const std::vector<size_t>& rows = r.choices[static_cast<size_t>(call)];
      const std::vector<float> want = c.told({texts[rows[0]], texts[rows[1]], texts[rows[2]]}, call);
      EXPECT_CLOSE(Case::eps(run, r, call), want, 0, name + std::string(", call ") + std::to_string(call));
    }
  }
}

// Euler's rows of a run in which every call is a step.
SampleRequest sampling(int steps) {
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

TEST("summed texts are u + the sum of w (c - u), and guidance goes on from there") {
  Case c("unet15");
  const std::vector<Condition> texts = {c.condition("blurry"), c.condition("a cat"), c.condition("a dog")};
  const std::vector<float> eps = c.told(texts, 0);
  const size_t size = static_cast<size_t>(kLatents.size());
  SampleRequest r = sampling(1);
  r.seed = 3;
  r.texts = {texts, {{0, 1, 2}}, {0.7, -0.25}};
  // The same loop without its network: what it adds to the noise is -0.4 times the guided sum.
  UNetRequest u = c.request(3);
  u.conditions = texts, u.choices = {{0, 1, 2}}, u.timesteps = {900};
  UNetRun run(c.network, c.config, u, StopFlag{});
  SampleRequest still = r;
  still.rows[0].updates[0].outputs = {};
  const Tensor noise = sample(c.network, c.config, still, {}, StopFlag{});
  std::vector<float> scaled = noise.data;
  for (float& v : scaled) v *= 0.5f;
  run.step().set("x", stacked(std::vector<Tensor>(3, Tensor{kLatents, scaled})).data);
  run.forward(0, StopFlag{});
  const std::vector<float> out = run.step().get("eps").data;
  std::vector<float> want(size);
  for (size_t i = 0; i < size; ++i) {
    const double nothing = out[i], cat = out[size + i], dog = out[2 * size + i];
    const double sum = nothing + 0.7 * (cat - nothing) - 0.25 * (dog - nothing);
    want[i] = static_cast<float>(noise.data[i] - 0.4 * (nothing + 4 * (sum - nothing)));
  }
  // sums in f64, rounded to f32 after each text
  EXPECT_CLOSE(sample(c.network, c.config, r, {}, StopFlag{}).data, want, 1e-5, "one step");
}

TEST("a run whose texts never change is the run without choices, to the byte") {
  Case c("unet15");
  const Condition negative = c.condition("blurry"), cat = c.condition("a cat");
  SampleRequest plain = sampling(2), chosen = sampling(2);
  plain.context = cat.context, plain.negative_context = negative.context;
  chosen.texts = {{negative, cat}, {{0, 1}, {0, 1}}, {1}};
  EXPECT_CLOSE(sample(c.network, c.config, chosen, {}, StopFlag{}).data,
               sample(c.network, c.config, plain, {}, StopFlag{}).data, 0, "two steps");
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

TEST("a ControlNet reads what each row of each call is told") {
  Case c("unet15");
  Steering steering;
  const std::vector<Condition> texts = {c.condition("blurry"), c.condition("a cat"), c.condition("a dog")};
  const auto run = [&](const SampleRequest& r) { return sample(c.network, c.config, r, {}, StopFlag{}); };
  for (const bool conditional_only : {false, true}) {
    const std::string mode = conditional_only ? "the conditional rows" : "all rows";
    SampleRequest plain = sampling(2);
    plain.context = texts[1].context, plain.negative_context = texts[0].context;
    SampleRequest chosen = sampling(2);
    chosen.texts = {texts, {{0, 1}, {0, 1}}, {1}};
    const std::vector<float> steady = run(steering.with(plain, conditional_only)).data;
    EXPECT_CLOSE(run(steering.with(chosen, conditional_only)).data, steady, 0, mode + ": as without choices");
    EXPECT(run(plain).data != steady);

    // rounded after each of the two
    SampleRequest halves = sampling(2);
    halves.texts = {texts, {{0, 1, 1}, {0, 1, 1}}, {0.5, 0.5}};
    EXPECT_CLOSE(run(steering.with(halves, conditional_only)).data, steady, 1e-5, mode + ": halves of one text");

    // Two steps are the first one, and from its latents the second one by itself.
    SampleRequest both = sampling(2);
    both.texts = {texts, {{0, 1, 2}, {1, 2, 0}}, {0.7, 0.4}};
    both = steering.with(both, conditional_only);
    SampleRequest first = both, second = both;
    first.rows.pop_back();
    second.rows.erase(second.rows.begin());
    second.init.image.mean = run(first);
    second.init.first = {/*signal=*/1, /*noise=*/0};
    EXPECT_CLOSE(run(both).data, run(second).data, 0, mode + ": texts that change");
  }
}

}  // namespace
