// Which values of a plan lie as 16 bits on a card.
#include "cuda/backend/storage.h"

#include <set>
#include <string>

#include "plan/builder.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;
using cuda::Stored;

// Paths of the nodes whose results are operands.
std::set<std::string> operands(Plan plan, Compute compute) {
  plan.compute_with(compute);
  const std::vector<Stored> stored = cuda::storage(plan);
  std::set<std::string> paths;
  for (const Node& node : plan.nodes)
    if (stored[static_cast<size_t>(node.output)] == Stored::operand) paths.insert(node.path);
  return paths;
}

// A ResNet's half and a transformer's, folded.
Plan block(int channels) {
  Builder b;
  Value x = b.conv2d("in", b.input("x", {1, 4, 4, 4}), channels);
  x = b.add(b.conv2d("conv", b.silu(b.group_norm("norm", x, 4, 1e-5f)), channels), x);
  const Value n = b.reshape(b.layer_norm("norm1", x), {1, 1, 16, channels});
  const Value k = b.linear("to_k", n, channels), v = b.linear("to_v", n, channels);
  const Value text = b.input("text", {1, 1, 7, channels});
  const auto attended = [&](const char* scope, Value q, Value keys, Value values) {
    const auto s = b.enter(scope);
    return b.attend(q, keys, values, 2);
  };
  Value y = attended("own", b.linear("to_q", n, channels), k, v);
  y = b.add(b.linear("to_out", y, channels), attended("cross", n, text, text));
  y = b.add(b.linear("net.2", b.geglu(b.linear("net.0", b.layer_norm("norm2", y), 8 * channels)), channels), y);
  b.output("y", b.conv2d("down", b.reshape(y, {1, 4, 4, channels}), channels, 3, 2));
  return fold(b.finish());
}

TEST("cuda storage: what products and attention alone read is 16 bits, the residual stream f32") {
  // cross.attend goes into a sum, and the last sum into nothing but a convolution.
  const std::set<std::string> expected = {"norm",       "norm1", "to_k",  "to_v", "to_q",
                                          "own.attend", "norm2", "net.0", "net.2"};
  EXPECT(operands(block(32), Compute::f16) == expected);
  EXPECT(operands(block(32), Compute::bf16) == operands(block(32), Compute::f16));
  EXPECT(operands(block(32), Compute::f32).empty());
}

TEST("cuda storage: channels that are no multiple of 8 are f32 all through") {
  EXPECT(operands(block(20), Compute::f16).empty());
}

}  // namespace
