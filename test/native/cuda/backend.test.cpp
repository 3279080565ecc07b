// Plans on the emulated device against the naive twins.
#include "cuda/backend/backend.h"

#include <cmath>
#include <random>

#include "cuda/card.h"
#include "models/runner.h"
#include "plan/builder.h"
#include "test.h"
#include "weights/synthetic.h"

namespace {

using namespace ipa;
using namespace ipa::test;

// A little of everything that a UNet does. Heads of `channels` / 2.
Plan block(int channels, int h, int w) {
  Builder b;
  const auto scope = b.enter("block");
  Value x = b.input("x", {2, h, w, 3});
  const Value temb = b.input("temb", {2, 1, 1, channels}), row = b.input("row", {1, 1, 1, 3});
  const Value mask = b.input("mask", {1, h, w, 1});
  x = b.conv2d("conv_in", x, channels);
  Value y = b.add_channel(b.conv2d("conv1", b.silu(b.group_norm("norm1", x, 4, 1e-5f)), channels), temb);
  x = b.add(b.conv2d("conv2", b.silu(b.group_norm("norm2", y, 4, 1e-5f)), channels), b.conv2d("skip", x, channels, 1));
  const Value context = b.input("context", {2, 1, 11, channels}), image = b.input("image", {1, 1, 5, channels});
  y = b.layer_norm("norm3", x);
  const Value q = b.linear("to_q", y, channels, false);
  Value attended = b.attend(q, b.linear("to_k", context, channels), b.linear("to_v", context, channels), 2);
  attended = b.add_scaled(attended, b.attend(q, image, image, 2), row, 1, mask);
  x = b.add(b.linear("to_out", attended, channels), x);
  y = b.linear("net.2", b.geglu(b.linear("net.0", b.layer_norm("norm4", x), 8 * channels)), channels);
  x = b.add(b.attend(y, y, y, 2), x);
  x = b.concat({b.conv2d("down", x, channels, 3, 2), b.conv2d("down2", x, 2 * channels, 3, 2)});
  x = b.conv2d("up", b.upsample(x, h, w), channels);
  b.output("y", b.conv2d("conv_out", b.silu(b.group_norm("norm5", x, 4, 1e-5f)), 4));
  return b.finish();
}

TensorSource weights_of(const Plan& plan) {
  TensorIndex index;
  for (const WeightWant& want : plan.weights) {
    TensorInfo& info = index[want.path];
    info.dims = want.dims, info.dtype = DType::f32;
  }
  return synthetic("cuda", std::move(index));
}

Tensors inputs_of(const Plan& plan) {
  Tensors all;
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  for (const auto& [name, id] : plan.inputs) {
    std::vector<float>& numbers = all[name];
    numbers.resize(static_cast<size_t>(plan.values[static_cast<size_t>(id)].shape.size()));
    for (float& v : numbers) v = normal(random);
  }
  return all;
}

double relative_error(const std::vector<float>& got, const std::vector<float>& want) {
  double error = 0, size = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const double w = static_cast<double>(want[i]), difference = static_cast<double>(got[i]) - w;
    error += difference * difference, size += w * w;
  }
  return std::sqrt(error / size);
}

TEST("cuda backend: a plan agrees with the naive twins in f32, fp16 and bf16, sizes that no tile fits too") {
  for (const auto& [channels, h, w] : {std::tuple{32, 6, 10}, {20, 6, 4}, {160, 4, 6}}) {
    const Plan plan = block(channels, h, w);
    const TensorSource source = weights_of(plan);
    const Tensors inputs = inputs_of(plan);
    Machine naive(cpu::level("naive"));
    const std::vector<float> want = run(naive, plan, inputs, source, Compute::f32).at("y");
    const auto card = std::make_shared<EmulatedCard>();
    Machine machine(card, card->pool, card->backend);
    for (const auto& [compute, limit] : {std::pair{Compute::f32, 2e-6}, {Compute::f16, 4e-3}, {Compute::bf16, 3e-2}}) {
      const std::vector<float> got = run(machine, plan, inputs, source, compute).at("y");
      const double error = relative_error(got, want);
      if (!(error < limit) || (compute != Compute::f32 && channels % 8 == 0 && error < 1e-5))
        failed(__FILE__, __LINE__,
               std::to_string(channels) + " channels in " + compute_text(compute) + ": " + std::to_string(error));
      EXPECT(run(machine, plan, inputs, source, compute).at("y") == got);
    }
    EXPECT(card->plugged.complaints().empty());
  }
}

TEST("cuda backend: a checked run names the op that made a NaN") {
  const Plan plan = block(32, 4, 4);
  Tensors inputs = inputs_of(plan);
  inputs["temb"][5] = std::nanf("");
  const auto card = std::make_shared<EmulatedCard>();
  Machine machine(card, card->pool, card->backend);
  try {
    run(machine, plan, inputs, weights_of(plan), Compute::f16);
    failed(__FILE__, __LINE__, "it ran");
  } catch (const std::runtime_error& e) {
    EXPECT_EQ(std::string(e.what()), "not finite: temb");
  }
}

TEST("cuda backend: memory that the card refuses is an error that leaves nothing behind, whichever refusal") {
  const Plan plan = block(32, 4, 4);
  const TensorSource source = weights_of(plan);
  const Tensors inputs = inputs_of(plan);
  const auto card = std::make_shared<EmulatedCard>();
  Machine machine(card, card->pool, card->backend);
  const uint64_t before = card->plugged.allocations();
  const std::vector<float> want = run(machine, plan, inputs, source, Compute::f16).at("y");
  const uint64_t needed = card->plugged.allocations() - before;
  EXPECT(needed >= 4);
  const size_t live = card->plugged.live_bytes();
  for (uint64_t k = 1; k <= needed; ++k) {
    card->plugged.fail_allocation(card->plugged.allocations() + k);
    EXPECT_CODE(run(machine, plan, inputs, source, Compute::f16), Code::DEVICE_OUT_OF_MEMORY);
    EXPECT_EQ(card->plugged.live_bytes(), live);
  }
  EXPECT(run(machine, plan, inputs, source, Compute::f16).at("y") == want);
  EXPECT(card->plugged.complaints().empty());
}

}  // namespace
