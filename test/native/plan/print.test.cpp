// Listings: what a line says, and that it says the same again.
#include <string>

#include "plan/builder.h"
#include "random_plan.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

// A ResNet's second half and one cross-attention.
Plan sample(int prompts) {
  Builder b;
  Value x = b.input("x", {2, 4, 4, 8});
  {
    const auto s = b.enter("block");
    const Value h = b.conv2d("conv", b.silu(b.group_norm("norm", x, 4, 1e-5f)), 8);
    x = b.add(b.add_channel(h, b.input("block.time", {1, 1, 1, 8})), x);
  }
  const auto s = b.enter("attn2");
  const Shape keys{2, 1, 77, 8};
  const Value q = b.linear("to_q", x, 8, false), k = b.input("attn2.text_k", keys);
  Value y = b.attend(q, k, b.input("attn2.text_v", keys), 2);
  for (int i = 0; i < prompts; ++i) {
    const std::string name = "attn2.image" + std::to_string(i);
    const Value image = b.attend(q, b.input(name + "_k", keys), b.input(name + "_v", keys), 2);
    y = b.add_scaled(y, image, b.input("scales", {1, 1, 1, 2}), i, b.input("mask", {1, 4, 4, 1}));
  }
  b.output("y", b.reshape(y, {2, 1, 16, 8}));
  return fold(b.finish());
}

TEST("print: one line per input, op and output") {
  const std::string expected =
      "input   2x1x77x8          attn2.text_k\n"
      "input   2x1x77x8          attn2.text_v\n"
      "input   1x1x1x8           block.time\n"
      "input   2x4x4x8           x\n"
      "%0      2x4x4x8           group_norm(x) groups 4 silu                                     block.norm\n"
      "%1      2x4x4x8           conv2d(%0) 3x3 + channel .time + x                              block.conv\n"
      "%2      2x4x4x8           linear(%1)                                                      attn2.to_q\n"
      "%3      2x4x4x8           attend(%2; .text_k, .text_v) heads 2                            attn2.attend\n"
      "output  2x1x16x8          %3 as 2x1x16x8                                                  y\n";
  EXPECT_EQ(print(sample(0)), expected);
}

TEST("print: image prompts change the line of their attention and add inputs, no more") {
  const std::string without = print(sample(0)), with = print(sample(1));
  const std::string more = "attend(%2; .text_k, .text_v; .image0_k, .image0_v * scales[0] * mask) heads 2";
  EXPECT(with.find(more) != std::string::npos);
  size_t at = 0;
  while (at < without.size()) {
    const size_t end = without.find('\n', at) + 1;
    const std::string line = without.substr(at, end - at);
    if (line.find("attend(") == std::string::npos && with.find(line) == std::string::npos)
      failed(__FILE__, __LINE__, "this line changed: " + line);
    at = end;
  }
}

TEST("print: recording twice lists the same") {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    EXPECT_EQ(print(random_plan(seed)), print(random_plan(seed)));
    EXPECT_EQ(print(fold(random_plan(seed))), print(fold(random_plan(seed))));
  }
}

}  // namespace
