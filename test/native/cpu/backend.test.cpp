// The backend as a whole: kernels against their naive twins, folded against plain plans, threads, stop flag, NaN check,
// choice of level and implementation.
#include "cpu/backend.h"

#include <cmath>
#include <cstdlib>
#include <optional>

#include "block.h"
#include "plan/builder.h"
#include "run_plan.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

// An environment variable for the length of a test.
class Environment {
 public:
  Environment(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    setenv(name, value, 1);
  }
  ~Environment() {
    if (old_)
      setenv(name_, old_->c_str(), 1);
    else
      unsetenv(name_);
  }

 private:
  const char* name_;
  std::optional<std::string> old_;
};

// Weights that keep the rms of activations near 1.
Tensors random_weights(const Plan& plan) {
  Tensors t;
  uint32_t seed = 1;
  for (const WeightWant& want : plan.weights) {
    const float fan_in = static_cast<float>(product(want.dims) / want.dims[0]);
    t[want.path] = normals(product(want.dims), want.dims.size() > 1 ? 1 / std::sqrt(fan_in) : 0.5f, seed++);
  }
  return t;
}

Tensors block_inputs(const Plan& plan) {
  Tensors inputs = random_inputs(plan);
  inputs["row"] = {0.25f, 0.75f, -0.5f};
  return inputs;
}

// Values near 1 after twenty ops whose sums are in f32 on one side: 2e-5.
constexpr double kAgree = 2e-5;

}  // namespace

TEST("backend: every level agrees with the naive one, plain and folded") {
  const Plan plain = block(), folded = fold(plain);
  EXPECT(folded.nodes.size() < plain.nodes.size());
  const Tensors weights = random_weights(plain), inputs = block_inputs(plain);
  const Tensors expected = run_plan(plain, weights, inputs, {&cpu::level("naive")}).outputs;
  for (const cpu::Level* level : cpu::levels()) {
    EXPECT_CLOSE(run_plan(plain, weights, inputs, {level}).outputs.at("y"), expected.at("y"), kAgree,
                 std::string("plain on ") + level->name);
    EXPECT_CLOSE(run_plan(folded, weights, inputs, {level}).outputs.at("y"), expected.at("y"), kAgree,
                 std::string("folded on ") + level->name);
  }
}

// ||a - b|| / ||b||
double relative_error(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    const double d = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    difference += d * d, size += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return std::sqrt(difference / size);
}

TEST("backend: a plan that computes with bf16 agrees with f32 as far as bf16 goes, on the levels that offer it") {
  Plan plan = fold(block(40, 17, 13));
  const Tensors weights = random_weights(plan), inputs = block_inputs(plan);
  const std::vector<float> expected = run_plan(plan, weights, inputs, {&cpu::level("naive")}).outputs.at("y");
  plan.compute_with(Compute::bf16);
  int offered = 0;
  for (const cpu::Level* level : cpu::levels()) {
    if (!level->bf16) {
      EXPECT_CODE(run_plan(plan, weights, inputs, {level}), Code::DEVICE_UNSUPPORTED);
      continue;
    }
    ++offered;
    const std::vector<float> y = run_plan(plan, weights, inputs, {level, 1}).outputs.at("y");
    const double error = relative_error(y, expected);  // some 12 products one after the other, 0.003 each
    if (!(error > 1e-4 && error < 0.015))
      failed(__FILE__, __LINE__, std::string(level->name) + ": relative error " + std::to_string(error));
    for (int threads : {2, 3}) EXPECT(run_plan(plan, weights, inputs, {level, threads}).outputs.at("y") == y);
    // The naive twins read what was packed: rounded weights, exact activations.
    const Environment all("IPA_KERNEL", "conv2d:naive,linear:naive,attend:naive");
    EXPECT(relative_error(run_plan(plan, weights, inputs, {level}).outputs.at("y"), expected) < 0.01);
  }
  EXPECT(offered >= 2);  // the stand-ins at least
}

TEST("backend: naive twins read what every level packed") {
  const Environment all("IPA_KERNEL",
                        "conv2d:naive,linear:naive,attend:naive,group_norm:naive,layer_norm:naive,"
                        "apply:naive,geglu:naive,add:naive,add_scaled:naive");
  const Plan folded = fold(block());
  const Tensors weights = random_weights(folded), inputs = block_inputs(folded);
  const Tensors expected = run_plan(folded, weights, inputs, {&cpu::level("naive")}).outputs;
  for (const cpu::Level* level : cpu::levels())
    EXPECT(run_plan(folded, weights, inputs, {level}).outputs.at("y") == expected.at("y"));
}

TEST("backend: any number of threads gives the same bits, run after run") {
  const Plan plan = fold(block(40, 17, 13));
  const Tensors weights = random_weights(plan), inputs = block_inputs(plan);
  for (const cpu::Level* level : cpu::levels()) {
    const Tensors expected = run_plan(plan, weights, inputs, {level, 1}).outputs;
    for (int threads : {2, 3}) {
      PreparedPlan prepared(plan, weights, {level, threads});
      for (int i = 0; i < 3; ++i)
        if (prepared.run(inputs).outputs.at("y") != expected.at("y"))
          failed(__FILE__, __LINE__,
                 std::string(level->name) + " with " + std::to_string(threads) + " threads differs");
    }
  }
}

TEST("backend: scale 0 is the plan without the image prompt, to the bit") {
  const auto record = [](bool prompt) {
    Builder b;
    const Value q = b.input("q", {2, 3, 3, 16}), k = b.input("k", {2, 1, 7, 16});
    const Value row = b.input("row", {1, 1, 1, 1}), image = b.input("image", {2, 1, 4, 16});
    Value y = b.attend(q, k, k, 2);
    if (prompt) y = b.add_scaled(y, b.attend(q, image, image, 2), row, 0);
    b.output("y", y);
    return fold(b.finish());
  };
  const Plan with = record(true), without = record(false);
  EXPECT_EQ(with.nodes.size(), 1u);
  Tensors inputs = random_inputs(with);
  inputs["row"] = {0};
  for (const cpu::Level* level : cpu::levels())
    EXPECT(run_plan(with, {}, inputs, {level}).outputs.at("y") ==
           run_plan(without, {}, inputs, {level}).outputs.at("y"));
}

TEST("backend: inputs stay as they were set, run after run") {
  const Plan plan = fold(block());
  const Tensors weights = random_weights(plan), inputs = block_inputs(plan);
  for (const cpu::Level* level : cpu::levels()) {
    PreparedPlan prepared(plan, weights, {level, 2});
    const Tensors expected = prepared.run(inputs).outputs;
    for (int i = 0; i < 3; ++i) EXPECT(prepared.run_again().outputs.at("y") == expected.at("y"));
  }
}

TEST("backend: a raised stop flag ends the run, and the next run is whole") {
  const Plan plan = fold(block());
  const Tensors weights = random_weights(plan), inputs = block_inputs(plan);
  StopFlag raised;
  raised.raise();
  for (const cpu::Level* level : cpu::levels()) {
    PreparedPlan prepared(plan, weights, {level, 2});
    const Tensors expected = prepared.run(inputs).outputs;
    EXPECT(prepared.run(inputs, raised).status == RunStatus::stopped);
    const RunResult again = prepared.run(inputs);
    EXPECT(again.status == RunStatus::done);
    EXPECT(again.outputs.at("y") == expected.at("y"));
  }
}

TEST("backend: a checked run names the op that made a NaN or Inf, an unchecked one goes on") {
  const Plan plan = fold(block());
  Tensors weights = random_weights(plan);
  const Tensors inputs = block_inputs(plan);
  for (const float poison : {std::nanf(""), INFINITY}) {
    weights["block.norm3.bias"][3] = poison;
    for (const cpu::Level* level : cpu::levels()) {
      const RunResult checked = run_plan(plan, weights, inputs, {level, 1, true});
      EXPECT(checked.status == RunStatus::nonfinite);
      EXPECT_EQ(checked.path, "block.norm3");
      const RunResult unchecked = run_plan(plan, weights, inputs, {level});
      EXPECT(unchecked.status == RunStatus::done);
      EXPECT_EQ(unchecked.path, "");
    }
  }
  Tensors poisoned = inputs;
  poisoned["temb"][0] = std::nanf("");
  const RunResult checked = run_plan(plan, random_weights(plan), poisoned, {&cpu::default_level(), 1, true});
  EXPECT_EQ(checked.path, "temb");
}

TEST("backend: a NaN goes through every function and the maximum") {
  for (const Function f : {Function::relu, Function::leaky_relu, Function::silu, Function::gelu, Function::quick_gelu,
                           Function::sigmoid, Function::tanh, Function::exp, Function::clip}) {
    Builder b;
    b.output("y", b.apply(f, b.input("x", {1, 1, 1, 37}), 0.5f, 6));
    const Plan plan = b.finish();
    Tensors inputs = random_inputs(plan);
    inputs["x"][0] = inputs["x"][36] = std::nanf("");
    for (const cpu::Level* level : cpu::levels()) {
      const std::vector<float> y = run_plan(plan, {}, inputs, {level}).outputs.at("y");
      if (!std::isnan(y[0]) || !std::isnan(y[36]) || std::isnan(y[1]))
        failed(__FILE__, __LINE__,
               std::string("function ") + std::to_string(static_cast<int>(f)) + " on " + level->name);
    }
  }
}

TEST("backend: views, and an input that is an output") {
  Builder b;
  const Value x = b.input("x", {1, 2, 3, 2});
  b.output("x again", x);
  b.output("sum", b.reshape(b.add(b.reshape(x, {1, 1, 1, 12}), b.reshape(x, {1, 1, 1, 12})), {1, 3, 2, 2}));
  const Plan plan = b.finish();
  const Tensors inputs = random_inputs(plan);
  const Tensors out = run_plan(plan, {}, inputs).outputs;
  EXPECT(out.at("x again") == inputs.at("x"));
  for (size_t i = 0; i < 12; ++i) EXPECT_EQ(out.at("sum")[i], 2 * inputs.at("x")[i]);
}

TEST("backend: IPA_KERNEL chooses by op and by path, and tells what there is") {
  Builder b;
  b.output("y", b.conv2d("c", b.input("x", {1, 4, 4, 5}), 6, 1));
  const Plan plan = b.finish();
  const Tensors weights = random_weights(plan), inputs = random_inputs(plan);
  const auto run = [&] { return run_plan(plan, weights, inputs).outputs.at("y"); };
  const std::vector<float> expected = run();
  for (const char* choice : {"conv2d:naive", "c:naive", "conv2d:kernel", "conv2d:matmul", "linear:naive,c:kernel"}) {
    const Environment kernel("IPA_KERNEL", choice);
    EXPECT_CLOSE(run(), expected, 1e-6, std::string("IPA_KERNEL=") + choice);  // five terms near 1 in another order
  }
  {
    const Environment kernel("IPA_KERNEL", "c:winograd");  // which is not for this one: as without
    EXPECT_CLOSE(run(), expected, 1e-6, "IPA_KERNEL=c:winograd");
  }
  for (const char* choice : {"conv2d:fast", "c:", "conv2d", ":naive"}) {
    const Environment kernel("IPA_KERNEL", choice);
    EXPECT_CODE(run(), Code::OPTION_RANGE);
  }
}

TEST("backend: a 3x3 convolution that winograd is for takes it, where the level computes in f32") {
  Builder b;
  b.output("y", b.conv2d("c", b.input("x", {2, 12, 13, 64}), 20));
  const Plan plan = b.finish();
  const Tensors weights = random_weights(plan), inputs = random_inputs(plan);
  for (const cpu::Level* level : cpu::levels()) {
    const auto run = [&](const char* choice) {
      const Environment kernel("IPA_KERNEL", choice);
      return run_plan(plan, weights, inputs, {level}).outputs.at("y");
    };
    const std::vector<float> chosen = run("");
    EXPECT(chosen == run("conv2d:winograd"));
    EXPECT_EQ(chosen == run("conv2d:kernel"), level->winograd == nullptr);
    EXPECT_CLOSE(chosen, run("conv2d:naive"), kAgree, level->name);
  }
}

TEST("backend: a plan that computes with bf16 takes winograd where that is faster than its products") {
  Builder b;
  b.output("y", b.conv2d("c", b.input("x", {1, 16, 16, 128}), 20));
  Plan plan = b.finish();
  plan.compute_with(Compute::bf16);
  const Tensors weights = random_weights(plan), inputs = random_inputs(plan);
  int with = 0, without = 0;
  for (const cpu::Level* level : cpu::levels()) {
    if (!level->bf16) continue;
    const auto run = [&](const char* choice) {
      const Environment kernel("IPA_KERNEL", choice);
      return run_plan(plan, weights, inputs, {level}).outputs.at("y");
    };
    const std::vector<float> chosen = run("");
    EXPECT(chosen == run("conv2d:winograd"));
    const bool winograd = !(chosen == run("conv2d:kernel"));
    EXPECT_EQ(winograd, std::string(level->name).starts_with("avx512bf16"));
    ++(winograd ? with : without);
    // The twin reads the same rounded weights and the whole image, as winograd does.
    if (winograd) EXPECT_CLOSE(chosen, run("conv2d:naive"), kAgree, level->name);
  }
  EXPECT(with >= 1 && without >= 1);  // the stand-ins at least
}

TEST("backend: exact products of a plan that computes with bf16 are f32 where that costs little") {
  Builder b;
  const Value x = b.input("x", {1, 5, 7, 40});
  const Value e = b.exact(b.linear("e", b.exact(b.conv2d("f", x, 33, 1)), 40));
  b.output("e", e);
  b.output("y", b.linear("l", e, 40));
  Plan plan = fold(b.finish());
  const Tensors weights = random_weights(plan), inputs = random_inputs(plan);
  int exact = 0, rounded = 0;
  for (const cpu::Level* level : cpu::levels()) {
    if (!level->bf16) continue;
    plan.compute_with(Compute::f32);
    const Tensors in_f32 = run_plan(plan, weights, inputs, {level}).outputs;
    plan.compute_with(Compute::bf16);
    const Tensors in_bf16 = run_plan(plan, weights, inputs, {level}).outputs;
    EXPECT(in_bf16.at("y") != in_f32.at("y"));
    const bool same = in_bf16.at("e") == in_f32.at("e");
    EXPECT_EQ(same, std::string(level->name).starts_with("avx512bf16"));
    ++(same ? exact : rounded);
  }
  EXPECT(exact >= 1 && rounded >= 1);  // the stand-ins at least
}

TEST("backend: IPA_CPU takes a level, an unknown one is refused with those present") {
  EXPECT_EQ(std::string(cpu::levels().front()->name), "naive");
  {
    const Environment none("IPA_CPU", "");
    EXPECT(&cpu::default_level() == cpu::levels().back());
  }
  for (const cpu::Level* level : cpu::levels()) {
    const Environment one("IPA_CPU", level->name);
    EXPECT(&cpu::default_level() == level);
  }
  const Environment unknown("IPA_CPU", "avx1024");
  EXPECT_CODE(cpu::default_level(), Code::DEVICE_UNSUPPORTED);
}
