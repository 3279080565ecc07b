// Which linear layers of a plan are one launch.
#include "cuda/backend/siblings.h"

#include <string>
#include <vector>

#include "block.h"
#include "cuda/card.h"
#include "models/runner.h"
#include "plan/builder.h"
#include "running.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

Plan finished(Builder& b, Compute compute = Compute::f16) {
  Plan plan = b.finish();
  plan.compute_with(compute);
  return fold(plan);
}

// As if nothing else shared a launch.
std::vector<int> made(const Plan& plan, const Layout& layout) {
  cuda::Fusion fusion;
  fusion.absorbed.resize(plan.values.size()), fusion.layout = layout;
  return cuda::made_together(plan, fusion, cuda::storage(plan));
}
std::vector<int> made(const Plan& plan) { return made(plan, place(plan)); }

// Layers of one value, each an output of the plan, so that none shares its place with another.
Plan layers(const std::vector<int>& widths, Compute compute = Compute::f16) {
  Builder b;
  const Value x = b.input("x", {2, 1, 9, 24});
  for (size_t i = 0; i < widths.size(); ++i) {
    const std::string name = "layer" + std::to_string(i);
    b.output(name, b.linear(name, x, widths[i], i % 2 == 0));
  }
  return finished(b, compute);
}

TEST("cuda siblings: up to three layers of one value and one size, next to one another") {
  EXPECT(made(layers({16, 16, 16})) == (std::vector<int>{3, 0, 0}));
  EXPECT(made(layers({16, 16, 16, 16, 16})) == (std::vector<int>{3, 0, 0, 2, 0}));
  EXPECT(made(layers({16, 16, 24, 16, 32, 32})) == (std::vector<int>{2, 0, 1, 1, 2, 0}));
  EXPECT(made(layers({16, 16, 16}, Compute::f32)) == (std::vector<int>{1, 1, 1}));
  EXPECT(made(layers({12, 12})) == (std::vector<int>{1, 1}));  // no multiple of 8
}

TEST("cuda siblings: not where value, function, residual, number type or place differ") {
  Builder b;
  const Value x = b.input("x", {1, 1, 8, 16}), other = b.input("other", {1, 1, 8, 16});
  b.output("a", b.linear("a", x, 16));
  b.output("b", b.linear("b", other, 16));                        // another value
  b.output("c", b.silu(b.linear("c", other, 16)));                // a function
  b.output("d", b.add(b.linear("d", other, 16), x));              // a residual
  const Value e = b.linear("e", other, 16);                       // 16 bits, read by f alone
  b.output("f", b.linear("f", e, 16));                            // of the one before it
  b.output("g", b.linear("g", b.reshape(e, {1, 2, 4, 16}), 16));  // of a view of it
  const Plan plan = finished(b);
  EXPECT(made(plan) == (std::vector<int>{1, 1, 1, 1, 1, 2, 0}));

  const Plan pair = layers({24, 24});
  Layout layout = place(pair);
  EXPECT(made(pair, layout) == (std::vector<int>{2, 0}));
  const auto of = [&](size_t node) -> int64_t& { return layout.offsets[static_cast<size_t>(pair.nodes[node].output)]; };
  const int64_t second = of(1);
  of(1) = of(0) + 4;  // over the first result
  EXPECT(made(pair, layout) == (std::vector<int>{1, 1}));
  of(1) = layout.offsets[static_cast<size_t>(pair.inputs.at("x"))] + 4;  // over what both read
  EXPECT(made(pair, layout) == (std::vector<int>{1, 1}));
  of(1) = second;
  EXPECT(made(pair, layout) == (std::vector<int>{2, 0}));
}

TEST("cuda siblings: one launch, and the numbers of layers alone") {
  const Plan plan = layers({16, 16, 16});
  const Tensors inputs = random_inputs(plan);
  Running running(plan);
  running.set(inputs);
  EXPECT_EQ(running.run(true), 1u + 1u + 4u);  // the cast of x, the layers, a look at x and at each result
  const std::vector<std::string> names = {"layer0", "layer1", "layer2"};
  for (size_t i = 0; i < names.size(); ++i) {
    Builder b;
    b.output(names[i], b.linear(names[i], b.input("x", {2, 1, 9, 24}), 16, i % 2 == 0));
    Running alone(finished(b));
    alone.set(inputs);
    alone.run();
    EXPECT(alone.output(names[i]) == running.output(names[i]));
  }
}

}  // namespace
