// What nodes around group norms share a launch: counted, and against the naive twins.
#include "cuda/backend/fusion.h"

#include <cmath>
#include <map>
#include <string>

#include "block.h"
#include "cuda/backend/lowering.h"
#include "cuda/card.h"
#include "models/runner.h"
#include "plan/builder.h"
#include "test.h"
#include "weights/synthetic.h"

namespace {

using namespace ipa;
using namespace ipa::test;

enum class Tap : uint8_t { none, joined, shortcut };

// Two convolutions and the ResNet of a way up, which reads both; a norm that reads its sum and one of them again.
Plan resnet(int side, Tap tap = Tap::none) {
  Builder b;
  const Value in = b.input("x", {2, side, side, 16});
  const Value skip = b.conv2d("skip", in, 24), x = b.conv2d("before", in, 40);
  const Value joined = b.concat({x, skip});
  Value h = b.conv2d("conv1", b.silu(b.group_norm("norm1", joined, 8, 1e-5f)), 32);
  h = b.conv2d("conv2", b.silu(b.group_norm("norm2", h, 8, 1e-5f)), 32);
  const Value shortcut = b.conv2d("conv_shortcut", joined, 32, 1);
  h = b.add(h, shortcut);
  h = b.conv2d("last", b.group_norm("norm3", b.concat({h, skip}), 4, 1e-5f), 8);
  b.output("y", h);
  if (tap == Tap::joined) b.output("tap", joined);
  if (tap == Tap::shortcut) b.output("tap", shortcut);
  return fold(b.finish());
}

// Launches by the first words of their kernels.
std::map<std::string, int> launches(Plan plan) {
  plan.compute_with(Compute::f16);
  EmulatedCard card;
  const std::vector<cuda::Stored> stored = cuda::storage(plan);
  const cuda::Fusion fusion = cuda::fuse(plan, stored, card.device.properties());
  const std::vector<cuda::driver::Address> weights(plan.weights.size(), 1 << 20);
  const cuda::Memories memories{1 << 20, 1 << 20, 1 << 20};
  const cuda::LoweredPlan lowered = cuda::lower_plan(card.device, plan, fusion, weights, stored, memories);
  std::map<std::string, int> counts;
  for (const cuda::driver::Commands& commands : lowered.nodes)
    for (const auto& command : commands.list())
      if (const auto* launch = std::get_if<cuda::driver::LaunchCommand>(&command)) {
        const std::string name = launch->kernel.row->name;
        ++counts[name.substr(0, name.find("_f"))];
      }
  return counts;
}

TEST("cuda fusion: a ResNet that reads two tensors is four launches, and no concat is made") {
  using Counts = std::map<std::string, int>;
  EXPECT(launches(resnet(8)) == (Counts{{"convolution", 4}, {"convolution_shortcut", 1}, {"group_norm", 3}}));
  // Images that no tile fits: the moments are counted, of both tensors of norm1 and norm3 and of norm2's.
  EXPECT(launches(resnet(6)) ==
         (Counts{{"convolution", 4}, {"convolution_shortcut", 1}, {"group_norm", 3}, {"group_statistics", 5}}));
}

TEST("cuda fusion: outputs of the plan are made") {
  const std::map<std::string, int> joined = launches(resnet(8, Tap::joined));
  EXPECT_EQ(joined.at("concat"), 1);
  EXPECT_EQ(joined.at("convolution_shortcut"), 1);
  const std::map<std::string, int> shortcut = launches(resnet(8, Tap::shortcut));
  EXPECT(!shortcut.contains("convolution_shortcut") && !shortcut.contains("concat"));
  EXPECT_EQ(shortcut.at("convolution"), 6);
}

TEST("cuda fusion: a ResNet agrees with the naive twins, whatever is made together") {
  for (const int side : {8, 6, 16})
    for (const Tap tap : {Tap::none, Tap::joined, Tap::shortcut}) {
      const Plan plan = resnet(side, tap);
      const TensorSource source = synthetic("cuda", index_of(plan.weights));
      const Tensors inputs = random_inputs(plan);
      Machine naive(cpu::level("naive"));
      const Tensors want = run(naive, plan, inputs, source, Compute::f32);
      const auto card = std::make_shared<EmulatedCard>();
      Machine machine(card, card->pool, card->backend);
      for (const auto& [compute, limit] :
           {std::pair{Compute::f32, 2e-6}, {Compute::f16, 4e-3}, {Compute::bf16, 3e-2}}) {
        const Tensors got = run(machine, plan, inputs, source, compute);
        for (const auto& [name, values] : want) {
          double error = 0, size = 0;
          for (size_t i = 0; i < values.size(); ++i) {
            const double w = static_cast<double>(values[i]), difference = static_cast<double>(got.at(name)[i]) - w;
            error += difference * difference, size += w * w;
          }
          if (!(std::sqrt(error / size) < limit))
            failed(__FILE__, __LINE__,
                   name + " of side " + std::to_string(side) + " in " + compute_text(compute) + ": " +
                       std::to_string(std::sqrt(error / size)));
        }
        EXPECT(run(machine, plan, inputs, source, compute) == got);
      }
      EXPECT(card->plugged.complaints().empty());
    }
}

}  // namespace
