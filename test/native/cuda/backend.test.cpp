// Plans on the emulated device against the naive twins.
#include "cuda/backend/backend.h"

#include <cmath>

#include "block.h"
#include "cuda/card.h"
#include "models/runner.h"
#include "running.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

double relative_error(const std::vector<float>& got, const std::vector<float>& want) {
  double error = 0, size = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    const double w = static_cast<double>(want[i]), difference = static_cast<double>(got[i]) - w;
    error += difference * difference, size += w * w;
  }
  return std::sqrt(error / size);
}

TEST("cuda backend: a plan agrees with the naive twins in f32, fp16 and bf16, sizes that no tile fits too") {
  for (const auto& [channels, h, w] : {std::tuple{40, 6, 10}, {20, 6, 4}, {80, 4, 6}, {40, 5, 7}}) {
    const Plan plan = block(channels, h, w);
    const TensorSource source = weights_of(plan);
    const Tensors inputs = random_inputs(plan);
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
  const Plan plan = block(40, 4, 4);
  Tensors inputs = random_inputs(plan);
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
  const Plan plan = block(40, 4, 4);
  const TensorSource source = weights_of(plan);
  const Tensors inputs = random_inputs(plan);
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
