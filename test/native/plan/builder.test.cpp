// Recording: scopes and names, what finish() keeps, and the shapes that are refused.
#include <string>
#include <vector>

#include "plan/builder.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

TEST("builder: scopes are prefix of weight, node and tap") {
  Builder b({"down.conv", "elsewhere"});
  Value y;
  {
    const auto outer = b.enter("down");
    EXPECT_EQ(b.path("conv"), "down.conv");
    const auto same = b.enter("");
    EXPECT_EQ(b.path(""), "down");
    y = b.tap("conv", b.conv2d("conv", b.input("x", {1, 8, 8, 4}), 6, 3, 2));
  }
  EXPECT_EQ(b.path("conv"), "conv");
  EXPECT(y.shape == (Shape{1, 4, 4, 6}));
  b.output("y", y);
  const Plan plan = b.finish();
  EXPECT_EQ(plan.nodes[0].path, "down.conv");
  EXPECT_EQ(plan.weights[0].path, "down.conv.weight");
  EXPECT(plan.weights[0].dims == (Dims{6, 4, 3, 3}));
  EXPECT(plan.weights[0].role == WeightRole::matrix);
  EXPECT_EQ(plan.weights[1].path, "down.conv.bias");
  EXPECT_EQ(plan.outputs.at("down.conv"), y.id);
  EXPECT_EQ(plan.outputs.size(), size_t{2});
}

TEST("builder: finish drops what no output needs, its weights too, and numbers the slots anew") {
  Builder b;
  const Value x = b.input("x", {1, 1, 3, 4});
  b.linear("unused", x, 8);
  const Value view = b.reshape(b.linear("used", x, 8), {1, 3, 1, 8});
  b.output("y", b.silu(view));
  const Plan plan = b.finish();
  EXPECT_EQ(plan.nodes.size(), size_t{2});
  EXPECT_EQ(plan.weights.size(), size_t{2});
  EXPECT_EQ(plan.weights[static_cast<size_t>(std::get<Linear>(plan.nodes[0].op).weight)].path, "used.weight");
  EXPECT_EQ(plan.weights[static_cast<size_t>(std::get<Linear>(plan.nodes[0].op).bias)].path, "used.bias");
}

TEST("builder: the same input, and the same weight, twice is one") {
  Builder b;
  const Value x = b.input("x", {1, 1, 3, 4});
  EXPECT_EQ(b.input("x", {1, 1, 3, 4}).id, x.id);
  b.output("y", b.linear("layer", b.linear("layer", x, 4), 4));
  EXPECT_EQ(b.finish().weights.size(), size_t{2});
}

TEST("builder: exact marks the weight of the product recorded last, and takes nothing else") {
  Builder b;
  const Value x = b.input("x", {1, 1, 3, 4});
  EXPECT_CODE(b.exact(x), Code::INTERNAL);
  const Value y = b.exact(b.linear("exact", x, 4));
  const Value z = b.conv2d("plain", y, 4);
  EXPECT_CODE(b.exact(y), Code::INTERNAL);
  EXPECT_CODE(b.exact(b.silu(z)), Code::INTERNAL);
  b.output("z", z);
  for (const WeightWant& want : b.finish().weights) EXPECT_EQ(want.exact, want.path == "exact.weight");
}

TEST("builder: reshaping a view looks at the first value") {
  Builder b;
  const Value y = b.silu(b.input("x", {1, 2, 3, 4}));
  const Value twice = b.reshape(b.reshape(y, {1, 1, 6, 4}), {1, 1, 1, 24});
  EXPECT_EQ(b.reshape(y, y.shape).id, y.id);
  b.output("y", twice);
  const Plan plan = b.finish();
  EXPECT_EQ(plan.values[static_cast<size_t>(twice.id)].alias, y.id);
  EXPECT_EQ(plan.nodes.size(), size_t{1});
}

TEST("builder: shapes follow from the ops") {
  Builder b;
  const Value x = b.input("x", {2, 5, 7, 8});
  EXPECT(b.conv2d("a", x, 3, 3, 2).shape == (Shape{2, 3, 4, 3}));
  Window dilated = square(3);
  dilated.dilation_h = dilated.dilation_w = 2;
  EXPECT(b.conv2d("b", x, 3, dilated).shape == (Shape{2, 3, 5, 3}));
  EXPECT(b.linear("c", x, 9).shape == (Shape{2, 5, 7, 9}));
  EXPECT(b.geglu(x).shape == (Shape{2, 5, 7, 4}));
  EXPECT(b.concat({x, x}).shape == (Shape{2, 5, 7, 16}));
  const Value tokens = b.reshape(x, {2, 1, 35, 8});
  EXPECT(b.concat({tokens, tokens}, 2).shape == (Shape{2, 1, 70, 8}));
  EXPECT(b.concat({x, x}, 1).shape == (Shape{2, 10, 7, 8}));
  EXPECT(b.moments(x, 4).shape == (Shape{2, 5, 1, 8}));
  EXPECT(b.upsample(x, 9, 10).shape == (Shape{2, 9, 10, 8}));
  EXPECT(b.tokens(x, 3, 4).shape == (Shape{2, 1, 4, 8}));
  EXPECT(b.channels(x, 3, 4).shape == (Shape{2, 5, 7, 4}));
  EXPECT(b.sinusoid(b.input("t", {2, 1, 1, 6}), 4).shape == (Shape{2, 1, 1, 24}));
  EXPECT(b.embed("d", b.input("ids", {2, 1, 5, 1}), 100, 8).shape == (Shape{2, 1, 5, 8}));
  EXPECT(b.matmul(x, b.input("m", {1, 1, 8, 3}), 2, 1, 35, 8, 3).shape == (Shape{2, 1, 35, 3}));
}

TEST("builder: a refusal names the place") {
  Builder b;
  const auto s = b.enter("mid_block");
  try {
    b.attend(b.input("q", {1, 1, 4, 8}), b.input("k", {1, 1, 4, 6}), b.input("v", {1, 1, 4, 6}), 2);
    EXPECT(!"attend took keys of another width");
  } catch (const Error& e) {
    EXPECT(std::string(e.what()).starts_with("mid_block.attend: "));
    EXPECT(std::string(e.what()).find("[1, 1, 4, 6]") != std::string::npos);
    EXPECT_EQ(e.details.at(0).second, "mid_block.attend");
  }
}

TEST("builder: values that do not exist or changed their shape are refused") {
  Builder b;
  const Value x = b.input("x", {2, 4, 4, 8});
  Value bent = x;
  bent.shape.c = 4;
  EXPECT_CODE(b.silu(Value{}), Code::INTERNAL);
  EXPECT_CODE(b.silu(Value{99, x.shape}), Code::INTERNAL);
  EXPECT_CODE(b.silu(bent), Code::INTERNAL);
  EXPECT_CODE(b.output("y", bent), Code::INTERNAL);
  EXPECT_CODE(b.reshape(x, {2, 4, 4, 9}), Code::INTERNAL);
  EXPECT_CODE(b.input("x", {1, 4, 4, 8}), Code::INTERNAL);
}

TEST("builder: layers that do not fit are refused") {
  Builder b;
  const Value x = b.input("x", {2, 4, 4, 8});
  Window grouped = square(3);
  grouped.groups = 3;
  EXPECT_CODE(b.conv2d("a", x, 8, grouped), Code::INTERNAL);  // 3 does not divide 8
  grouped.groups = 4;
  EXPECT_CODE(b.conv2d("b", x, 6, grouped), Code::INTERNAL);  // 4 does not divide 6
  Window wide = square(9);
  wide.pad_top = wide.pad_bottom = 0;
  EXPECT_CODE(b.conv2d("c", x, 8, wide), Code::INTERNAL);  // no row is left
  EXPECT_CODE(b.group_norm("d", x, 3, 1e-5f), Code::INTERNAL);
  EXPECT_CODE(b.group_norm("d", x, 4, 1e-5f, b.moments(x, 2)), Code::INTERNAL);
  EXPECT_CODE(b.moments(x, 3), Code::INTERNAL);
  EXPECT_CODE(b.embed("e", x, 10, 8), Code::INTERNAL);
  EXPECT_CODE(b.parameter("f", {3, 8}, {1, 1, 4, 8}), Code::INTERNAL);
  b.linear("g", x, 8);
  EXPECT_CODE(b.linear("g", x, 9), Code::INTERNAL);               // one weight in two shapes
  EXPECT_CODE(b.affine("g.weight", "shift", x), Code::INTERNAL);  // and as a vector besides
}

TEST("builder: ops between values that do not fit are refused") {
  Builder b;
  const Value x = b.input("x", {2, 4, 4, 8}), narrow = b.input("narrow", {2, 4, 4, 6});
  const Value one = b.input("one", {1, 4, 4, 8}), three = b.input("three", {3, 4, 4, 8});
  const Value row = b.input("row", {1, 1, 1, 2}), odd = b.input("odd", {1, 1, 1, 7});
  b.add(x, one);
  EXPECT_CODE(b.add(one, x), Code::INTERNAL);
  EXPECT_CODE(b.add(x, narrow), Code::INTERNAL);
  EXPECT_CODE(b.add_channel(x, one), Code::INTERNAL);
  EXPECT_CODE(b.add_channel(x, b.input("channels", {2, 1, 1, 6})), Code::INTERNAL);
  EXPECT_CODE(b.add_scaled(x, one, row, 0), Code::INTERNAL);
  EXPECT_CODE(b.add_scaled(x, x, row, 2), Code::INTERNAL);
  EXPECT_CODE(b.add_scaled(x, x, row, -1), Code::INTERNAL);
  EXPECT_CODE(b.add_scaled(x, x, row, 0, b.input("mask", {1, 4, 5, 1})), Code::INTERNAL);
  EXPECT_CODE(b.geglu(odd), Code::INTERNAL);
  EXPECT_CODE(b.concat({x, one}), Code::INTERNAL);
  EXPECT_CODE(b.concat({x, x}, 2), Code::INTERNAL);  // an image is no token sequence
  EXPECT_CODE(b.attend(x, x, narrow, 2), Code::INTERNAL);
  EXPECT_CODE(b.attend(x, x, x, 3), Code::INTERNAL);
  EXPECT_CODE(b.attend(x, three, three, 2), Code::INTERNAL);
  EXPECT_CODE(b.sinusoid(x, 4), Code::INTERNAL);
  EXPECT_CODE(b.sinusoid(row, 3), Code::INTERNAL);
  EXPECT_CODE(b.take_token(x, row), Code::INTERNAL);
}

TEST("builder: copies and reductions outside their value are refused") {
  Builder b;
  const Value x = b.input("x", {2, 4, 4, 8});  // 256 numbers
  EXPECT_CODE(b.tokens(x, 10, 7), Code::INTERNAL);
  EXPECT_CODE(b.tokens(x, -1, 2), Code::INTERNAL);
  EXPECT_CODE(b.channels(x, 4, 5), Code::INTERNAL);
  b.rearrange(x, {256}, {-1}, 255, {1, 1, 1, 256});
  EXPECT_CODE(b.rearrange(x, {256}, {-1}, 254, {1, 1, 1, 256}), Code::INTERNAL);
  EXPECT_CODE(b.rearrange(x, {256}, {1}, 1, {1, 1, 1, 256}), Code::INTERNAL);
  EXPECT_CODE(b.rearrange(x, {8}, {1, 1}, 0, {1, 1, 1, 8}), Code::INTERNAL);
  EXPECT_CODE(b.rearrange(x, {8}, {1}, 0, {1, 1, 1, 9}), Code::INTERNAL);
  EXPECT_CODE(b.pad(x, {16, 16}, {1, 0}, {0, 0}, 0, {1, 1, 16, 16}), Code::INTERNAL);
  EXPECT_CODE(b.pad(x, {16, 15}, {0, 0}, {0, 0}, 0, {1, 1, 16, 15}), Code::INTERNAL);
  EXPECT_CODE(b.reduce(x, ReduceKind::mean, 2, 16, 9, {2, 1, 1, 9}), Code::INTERNAL);
  EXPECT_CODE(b.reduce(x, ReduceKind::mean, 2, 16, 8, {2, 1, 1, 9}), Code::INTERNAL);
  EXPECT_CODE(b.matmul(x, x, 2, 2, 16, 8, 8), Code::INTERNAL);
}

}  // namespace
