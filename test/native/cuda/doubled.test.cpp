// Convolutions of images that a nearest upsample has doubled: which are made as four, their numbers and their weights.
#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include "block.h"
#include "cuda/backend/lowering.h"
#include "plan/builder.h"
#include "running.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

struct Case {
  int64_t h, w, virtual_h, virtual_w;
  bool upsampled = false;
  int kernel = 3, stride = 1, channels = 24;
};

Plan upsampled(const Case& c, Compute compute) {
  Builder b;
  const Value x = b.input("x", {2, c.h, c.w, c.channels}), temb = b.input("temb", {2, 1, 1, 16});
  const Value y = b.conv2d("conv", b.upsample(x, c.virtual_h, c.virtual_w), 16, c.kernel, c.stride);
  const Value other = b.input("other", y.shape);
  b.output("y", b.add(b.add_channel(y, temb), other));
  Plan plan = b.finish();
  plan.compute_with(compute);
  return fold(plan);
}

TEST("cuda doubled: 3x3 convolutions behind an upsample are packed as four too, whatever the sizes") {
  for (const Case& c :
       {Case{5, 7, 10, 14, true}, Case{1, 1, 2, 2, true}, Case{5, 7, 9, 13, true}, Case{5, 7, 10, 14, false, 1},
        Case{5, 7, 10, 14, false, 3, 2}, Case{5, 7, 10, 14, true, 3, 1, 20}}) {
    const Plan plan = upsampled(c, Compute::f16);
    const WeightWant& want = plan.weights[0];
    EXPECT_EQ(want.path, std::string("conv.weight"));
    EXPECT_EQ(want.upsampled, c.upsampled);
    EXPECT_EQ(cuda::packs_doubled(want), c.upsampled && c.channels % 8 == 0);
    EXPECT(!cuda::packs_doubled(upsampled(c, Compute::f32).weights[0]));
  }
  Builder b;  // one weight for two images, of which one was not upsampled
  const Value x = b.input("x", {1, 3, 3, 8});
  b.output("y", b.conv2d("conv", b.upsample(x, 6, 6), 8)), b.output("z", b.conv2d("conv", x, 8));
  for (const WeightWant& want : fold(b.finish()).weights) EXPECT(!want.upsampled);
}

// The kernel of the last convolution of a plan's launches.
std::string kernel_of(const Plan& plan) {
  EmulatedCard card;
  const std::vector<cuda::driver::Address> weights(plan.weights.size(), 256);
  const std::vector<cuda::Stored> stored = cuda::storage(plan);
  const cuda::LoweredPlan lowered = cuda::lower_plan(
      card.device, plan, cuda::fuse(plan, stored, card.device.properties()), weights, stored, {256, 256, 256, 256});
  const std::string name = std::get<cuda::driver::LaunchCommand>(lowered.nodes.back().list().back()).kernel.row->name;
  return name.substr(0, name.find("_f"));
}

TEST("cuda doubled: one weight serves a plan that doubles and one that does not quite") {
  const Plan twice = upsampled({5, 7, 10, 14}, Compute::f16), nearly = upsampled({5, 7, 9, 13}, Compute::f16);
  EXPECT_EQ(kernel_of(twice), std::string("convolution_doubled"));
  EXPECT_EQ(kernel_of(nearly), std::string("convolution"));
  Running card(twice);
  EXPECT(card.store.places(nearly).size() == nearly.weights.size());
  Plan otherwise = nearly;
  otherwise.weights[0].upsampled = false;
  EXPECT_CODE(card.store.places(otherwise), Code::INTERNAL);
}

TEST("cuda doubled: agrees with the naive twin at odd sizes, doubled or nearly, in one launch") {
  for (const Case& c : {Case{1, 1, 2, 2}, Case{1, 6, 2, 12}, Case{5, 1, 10, 2}, Case{5, 7, 10, 14}, Case{9, 4, 18, 8},
                        Case{5, 7, 9, 14}, Case{5, 7, 9, 13}})
    for (const auto& [compute, limit] : {std::pair{Compute::f16, 1e-3}, {Compute::bf16, 8e-3}, {Compute::f32, 1e-6}}) {
      const Plan plan = upsampled(c, compute);
      const Tensors inputs = random_inputs(plan);
      Running card(plan);
      card.set(inputs);
      card.run();
      if (compute != Compute::f32) EXPECT_EQ(card.run(), 1u);
      Machine naive(cpu::level("naive"));
      const std::vector<float> want = run_as_it_is(naive, upsampled(c, Compute::f32), inputs, weights_of(plan)).at("y");
      const std::vector<float> got = card.output("y");
      double error = 0, size = 0;
      for (size_t i = 0; i < want.size(); ++i) {
        const double difference = static_cast<double>(got[i]) - static_cast<double>(want[i]);
        error += difference * difference, size += static_cast<double>(want[i]) * static_cast<double>(want[i]);
      }
      if (!(std::sqrt(error / size) < limit))
        failed(__FILE__, __LINE__,
               std::to_string(c.h) + " x " + std::to_string(c.w) + " in " + compute_text(compute) + ": " +
                   std::to_string(std::sqrt(error / size)));
    }
}

TEST("cuda doubled: a weight that is rewritten has the bytes of one that was loaded") {
  const Plan plan = upsampled({5, 7, 10, 14}, Compute::f16);
  Running card(plan);
  const uint64_t loaded = card.store.digest();
  std::vector<float> numbers = card.store.pristine("conv.weight");
  const std::vector<float> pristine = numbers;
  for (float& x : numbers) x += 0.25f;
  card.store.rewrite("conv.weight", numbers);
  EXPECT(card.store.digest() != loaded);
  card.store.rewrite("conv.weight", pristine);
  EXPECT_EQ(card.store.digest(), loaded);
}

}  // namespace
