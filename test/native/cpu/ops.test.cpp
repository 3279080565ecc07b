// Every op on small tensors against values computed by hand, on every level of this CPU.
#include <cmath>
#include <initializer_list>

#include "plan/builder.h"
#include "run_plan.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

using Floats = std::vector<float>;

// What `y` should be, on every level. Values of magnitude 10: f32 and the kernels' exp stay within 2e-6 of them.
void expect_values(Builder& b, Value y, const Tensors& weights, const Tensors& inputs, const Floats& expected,
                   const std::string& what) {
  b.output("y", y);
  const Plan plan = b.finish();
  for (const cpu::Level* level : cpu::levels()) {
    const RunResult result = run_plan(plan, weights, inputs, {level});
    EXPECT(result.status == RunStatus::done);
    EXPECT_CLOSE(result.outputs.at("y"), expected, 2e-5, what + " on " + level->name);
  }
}

void expect_apply(Function f, const Floats& x, const Floats& expected, const std::string& what, float alpha = 0,
                  float beta = 0) {
  Builder b;
  const Value in = b.input("x", {1, 1, 1, static_cast<int64_t>(x.size())});
  expect_values(b, b.apply(f, in, alpha, beta), {}, {{"x", x}}, expected, what);
}

}  // namespace

TEST("ops: conv2d, padding, bias, channel order of the weight") {
  Builder b;
  const Value x = b.input("x", {1, 2, 2, 2});
  // W [1, 2, 3, 3]: channel 0 is 1 ... 9, channel 1 is ten times that
  Floats w;
  for (float scale : {1.0f, 10.0f})
    for (int i = 1; i <= 9; ++i) w.push_back(scale * static_cast<float>(i));
  // x channel 0: 1 2 / 3 4, channel 1: 1 0 / 0 0
  expect_values(b, b.conv2d("c", x, 1), {{"c.weight", w}, {"c.bias", {0.5f}}}, {{"x", {1, 1, 2, 0, 3, 0, 4, 0}}},
                {5 + 12 + 24 + 36 + 50 + 0.5f, 4 + 10 + 21 + 32 + 40 + 0.5f, 2 + 6 + 15 + 24 + 20 + 0.5f,
                 1 + 4 + 12 + 20 + 10 + 0.5f},
                "conv2d");
}

TEST("ops: conv2d with stride, dilation and uneven padding") {
  Builder b;
  const Value x = b.input("x", {1, 3, 4, 1});
  Window w = square(2);
  w.stride_h = 1, w.stride_w = 2, w.dilation_h = 2, w.dilation_w = 1;
  w.pad_top = 0, w.pad_left = 1, w.pad_bottom = 0, w.pad_right = 0;
  // rows 0 and 2; columns (-1, 0), (1, 2): 1*0 + 2*1 + 3*0 + 4*9 and 1*2 + 2*3 + 3*10 + 4*11
  expect_values(b, b.conv2d("c", x, 1, w, false), {{"c.weight", {1, 2, 3, 4}}},
                {{"x", {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}}}, {38, 82}, "conv2d");
}

TEST("ops: conv2d by groups") {
  Builder b;
  const Value x = b.input("x", {2, 1, 1, 4});
  Window w = square(1);
  w.groups = 2;  // W [4, 2, 1, 1]: outputs 0, 1 read channels 0, 1; outputs 2, 3 read channels 2, 3
  expect_values(b, b.conv2d("c", x, 4, w), {{"c.weight", {1, 1, 2, 0, 1, 1, 0, 3}}, {"c.bias", {0, 0, 0, 1}}},
                {{"x", {1, 2, 3, 4, 5, 6, 7, 8}}}, {3, 2, 7, 13, 11, 10, 15, 25}, "grouped conv2d");
}

TEST("ops: conv2d by depth with padding") {
  Builder b;
  const Value x = b.input("x", {1, 1, 2, 2});
  Window w = square(3);
  w.groups = 2;
  Floats weight(18, 0);
  weight[3] = 1, weight[4] = 10, weight[5] = 100;  // channel 0, middle row
  weight[9 + 4] = 1;                               // channel 1: itself
  expect_values(b, b.conv2d("c", x, 2, w, false), {{"c.weight", weight}}, {{"x", {1, 3, 2, 4}}}, {210, 3, 21, 4},
                "depth-wise conv2d");
}

TEST("ops: linear") {
  Builder b;
  const Value x = b.input("x", {1, 1, 2, 3});
  expect_values(b, b.linear("l", x, 2), {{"l.weight", {1, 2, 3, -1, 0, 1}}, {"l.bias", {10, 20}}},
                {{"x", {1, 1, 1, 2, 0, 1}}}, {16, 20, 15, 19}, "linear");
}

TEST("ops: group_norm") {
  Builder b;
  const Value x = b.input("x", {1, 1, 2, 2});
  // group 0: 1, 3 -> mean 2, variance 1; group 1: 0, 4 -> mean 2, variance 4
  expect_values(b, b.group_norm("n", x, 2, 0), {{"n.weight", {1, 2}}, {"n.bias", {0, 5}}}, {{"x", {1, 0, 3, 4}}},
                {-1, 3, 1, 7}, "group_norm");
}

TEST("ops: moments of every row, and a norm of some rows that counts all") {
  const std::vector<float> x = {0, 5, 0, 1, 4, 5, 4, 1};
  Builder b;
  const Value all = b.input("x", {1, 2, 2, 2});
  expect_values(b, b.moments(all, 2), {}, {{"x", x}}, {0, 0, 3, 8, 4, 0, 3, 8}, "moments");
  const Value again = b.input("x", {1, 2, 2, 2}), last = b.rearrange(again, {4}, {1}, 4, {1, 1, 2, 2});
  expect_values(b, b.group_norm("n", last, 2, 0, b.moments(again, 2)), {{"n.weight", {1, 2}}, {"n.bias", {0, 5}}},
                {{"x", x}}, {1, 7, 1, 3}, "group_norm of one row of two");
}

TEST("ops: layer_norm") {
  Builder b;
  const Value x = b.input("x", {1, 1, 2, 2});
  expect_values(b, b.layer_norm("n", x, 3), {{"n.weight", {1, 2}}, {"n.bias", {1, 0}}}, {{"x", {1, 3, 5, 5}}},
                {0.5f, 1, 1, 0}, "layer_norm with eps 3");  // variance 1 + 3
}

TEST("ops: attend, two heads, keys shared by the samples") {
  Builder b;
  const Value q = b.input("q", {2, 1, 1, 2}), k = b.input("k", {1, 1, 2, 2}), v = b.input("v", {1, 1, 2, 2});
  const float third = std::log(3.0f);  // weights 1/4, 3/4
  expect_values(b, b.attend(q, k, v, 2), {}, {{"q", {1, 0, 0, 1}}, {"k", {0, 0, third, third}}, {"v", {0, 2, 4, 6}}},
                {3, 4, 2, 5}, "attend");
}

TEST("ops: attend with a factor, causal") {
  Builder b;
  const Value x = b.input("x", {1, 1, 2, 1}), v = b.input("v", {1, 1, 2, 1});
  const float q = std::sqrt(std::log(3.0f));
  // the second query sees scores 0.5 * (q * 2q = 2 log 3) = log 3 and 0.5 * 4 log 3 = 2 log 3: weights 1/4, 3/4
  expect_values(b, b.attend(x, x, v, 1, {0.5f, true}), {}, {{"x", {q, 2 * q}}, {"v", {8, 4}}}, {8, 5}, "causal attend");
}

TEST("ops: element functions") {
  expect_apply(Function::identity, {-1, 2}, {-1, 2}, "identity");
  expect_apply(Function::relu, {-1, 0, 2}, {0, 0, 2}, "relu");
  expect_apply(Function::leaky_relu, {-2, 3}, {-0.5f, 3}, "leaky_relu", 0.25f);
  expect_apply(Function::silu, {-1, 0, 2}, {-0.2689414f, 0, 1.7615942f}, "silu");
  expect_apply(Function::gelu, {-1, 0, 2}, {-0.1586553f, 0, 1.9544997f}, "gelu");
  expect_apply(Function::quick_gelu, {-1, 0, 2}, {-0.1542038f, 0, 1.9356586f}, "quick_gelu");
  expect_apply(Function::sigmoid, {-1, 0, 200}, {0.2689414f, 0.5f, 1}, "sigmoid");
  expect_apply(Function::tanh, {-1, 0, 50}, {-0.7615942f, 0, 1}, "tanh");
  expect_apply(Function::exp, {-1, 0, 1}, {0.3678794f, 1, 2.7182818f}, "exp");
  expect_apply(Function::sqrt, {4, 2}, {2, 1.4142136f}, "sqrt");
  expect_apply(Function::abs, {-4, 2}, {4, 2}, "abs");
  expect_apply(Function::neg, {-4, 2}, {4, -2}, "neg");
  expect_apply(Function::clip, {-4, 2, 9}, {-1, 2, 6}, "clip", -1, 6);
  expect_apply(Function::floor, {-1.5f, 2.5f}, {-2, 2}, "floor");
  expect_apply(Function::ceil, {-1.5f, 2.5f}, {-1, 3}, "ceil");
}

TEST("ops: geglu takes the value first, then the gate") {
  Builder b;
  const Value x = b.input("x", {1, 1, 2, 4});
  expect_values(b, b.geglu(x), {}, {{"x", {3, 5, 2, 0, 1, -1, -1, 2}}}, {3 * 1.9544997f, 0, -0.1586553f, -1.9544997f},
                "geglu");
}

TEST("ops: add, of one shape and repeated over the samples") {
  Builder b;
  const Value x = b.input("x", {2, 1, 1, 2}), one = b.input("one", {1, 1, 1, 2});
  expect_values(b, b.add(b.add(x, x), one), {}, {{"x", {1, 2, 3, 4}}, {"one", {10, 20}}}, {12, 24, 16, 28}, "add");
}

TEST("ops: add_channel per sample and for all") {
  Builder b;
  const Value x = b.input("x", {2, 1, 2, 1}), each = b.input("each", {2, 1, 1, 1}), all = b.input("all", {1, 1, 1, 1});
  expect_values(b, b.add_channel(b.add_channel(x, each), all), {},
                {{"x", {1, 2, 3, 4}}, {"each", {10, 20}}, {"all", {100}}}, {111, 112, 123, 124}, "add_channel");
}

TEST("ops: add_scaled reads its cell, its mask, and skips at zero") {
  for (const bool zero : {false, true}) {
    Builder b;
    const Value x = b.input("x", {2, 1, 2, 1}), y = b.input("y", {2, 1, 2, 1}), row = b.input("row", {1, 1, 1, 2});
    const Value mask = b.input("mask", {1, 1, 2, 1});
    const Value sum = b.add_scaled(b.add_scaled(x, y, row, 1), y, row, 1, mask);
    const float nan = std::nanf("");  // a skipped term is not even read
    expect_values(b, sum, {},
                  {{"x", {1, 2, 3, 4}},
                   {"y", zero ? Floats(4, nan) : Floats{1, 1, 2, 2}},
                   {"row", {9, zero ? 0.0f : 0.5f}},
                   {"mask", {0, 10}}},
                  zero ? Floats{1, 2, 3, 4} : Floats{1.5f, 7.5f, 4, 15}, "add_scaled");
  }
}

TEST("ops: concat along channels, tokens and rows") {
  Builder b;
  const Value x = b.input("x", {2, 1, 1, 2}), y = b.input("y", {2, 1, 1, 1}), z = b.input("z", {2, 1, 2, 3});
  expect_values(b, b.concat({b.concat({x, y}), z}, 2), {},
                {{"x", {1, 2, 3, 4}}, {"y", {5, 6}}, {"z", {10, 11, 12, 13, 14, 15, 20, 21, 22, 23, 24, 25}}},
                {1, 2, 5, 10, 11, 12, 13, 14, 15, 3, 4, 6, 20, 21, 22, 23, 24, 25}, "concat");
  const Value upper = b.input("upper", {2, 1, 2, 1}), lower = b.input("lower", {2, 2, 2, 1});
  expect_values(b, b.concat({upper, lower}, 1), {}, {{"upper", {1, 2, 3, 4}}, {"lower", {5, 6, 7, 8, 9, 10, 11, 12}}},
                {1, 2, 5, 6, 7, 8, 3, 4, 9, 10, 11, 12}, "concat of rows");
}

TEST("ops: upsample to sizes that are no multiple") {
  Builder b;
  const Value x = b.input("x", {1, 2, 2, 1});
  expect_values(b, b.upsample(x, 3, 5), {}, {{"x", {1, 2, 3, 4}}}, {1, 1, 1, 2, 2, 1, 1, 1, 2, 2, 3, 3, 3, 4, 4},
                "upsample");
}

TEST("ops: embed, parameter, take_token, and ids out of range stay inside") {
  Builder b;
  const Value ids = b.input("ids", {2, 1, 2, 1}), index = b.input("index", {2, 1, 1, 1});
  const Value rows = b.add(b.embed("e", ids, 3, 2), b.parameter("p", {2, 2}, {2, 1, 2, 2}));
  expect_values(b, b.take_token(rows, index), {{"e.weight", {0, 1, 10, 11, 20, 21}}, {"p", {100, 200, 300, 400}}},
                {{"ids", {2, 0, -5, 7}}, {"index", {0, 1}}}, {120, 221, 320, 421}, "embed, parameter, take_token");
}

TEST("ops: sinusoid") {
  Builder b;
  const Value t = b.input("t", {1, 1, 1, 2});
  const Floats cosine_first = {std::cos(1.0f), std::cos(0.01f), std::sin(1.0f), std::sin(0.01f), 1, 1, 0, 0};
  expect_values(b, b.sinusoid(t, 4), {}, {{"t", {1, 0}}}, cosine_first, "sinusoid");  // frequencies 1, 10000^-1/2
  Builder c;
  const Value u = c.input("t", {1, 1, 1, 1});
  expect_values(c, c.sinusoid(u, 4, true, 1), {}, {{"t", {2}}},
                {std::sin(2.0f), std::sin(2e-4f), std::cos(2.0f), std::cos(2e-4f)}, "sinusoid, sine first, divisor 1");
}

TEST("ops: rearrange, tokens, channels") {
  Builder b;
  const Value x = b.input("x", {1, 1, 3, 2});
  const Value turned = b.rearrange(x, {2, 3}, {1, 2}, 0, {1, 1, 2, 3});  // 1 3 5 / 2 4 6
  expect_values(b, b.channels(b.tokens(turned, 1, 1), 1, 2), {}, {{"x", {1, 2, 3, 4, 5, 6}}}, {4, 6}, "rearrange");
  Builder c;
  const Value y = c.input("x", {1, 1, 1, 3});  // backwards, and repeated by stride 0
  expect_values(c, c.rearrange(y, {2, 3}, {0, -1}, 2, {1, 1, 2, 3}), {}, {{"x", {1, 2, 3}}}, {3, 2, 1, 3, 2, 1},
                "rearrange with other strides");
}

TEST("ops: pad") {
  Builder b;
  const Value x = b.input("x", {1, 1, 2, 2});
  expect_values(b, b.pad(x, {2, 2}, {1, 0}, {0, 1}, 9, {1, 1, 3, 3}), {}, {{"x", {1, 2, 3, 4}}},
                {9, 9, 9, 1, 2, 9, 3, 4, 9}, "pad");
}

TEST("ops: binary kinds and broadcasting") {
  const auto check = [](BinaryKind kind, const Floats& expected, const char* what) {
    Builder b;
    const Value a = b.input("a", {1, 1, 2, 2}), c = b.input("c", {1, 1, 1, 2});
    expect_values(b, b.binary(kind, a, c, {2, 2}, {2, 1}, {0, 1}, {1, 1, 2, 2}), {},
                  {{"a", {-4, 2, 3, -1}}, {"c", {2, 3}}}, expected, what);
  };
  check(BinaryKind::add, {-2, 5, 5, 2}, "add");
  check(BinaryKind::sub, {-6, -1, 1, -4}, "sub");
  check(BinaryKind::mul, {-8, 6, 6, -3}, "mul");
  check(BinaryKind::div, {-2, 2 / 3.0f, 1.5f, -1 / 3.0f}, "div");
  check(BinaryKind::pow, {16, 8, 9, -1}, "pow");
  check(BinaryKind::prelu, {-8, 2, 3, -3}, "prelu");
  check(BinaryKind::min, {-4, 2, 2, -1}, "min");
  check(BinaryKind::max, {2, 3, 3, 3}, "max");
}

TEST("ops: affine") {
  Builder b;
  const Value x = b.input("x", {1, 1, 2, 2});
  expect_values(b, b.affine("s", "t", x), {{"s", {2, 3}}, {"t", {1, 0}}}, {{"x", {1, 2, 3, 4}}}, {3, 6, 7, 12},
                "affine");
}

TEST("ops: pool, ceil mode, padding counted or not") {
  const auto check = [](bool maximum, bool include_pad, const Floats& expected, const char* what) {
    Builder b;
    const Value x = b.input("x", {1, 1, 4, 1});
    Window w;
    w.kernel_h = 1, w.kernel_w = 3, w.stride_w = 2, w.pad_top = w.pad_bottom = 0, w.pad_left = w.pad_right = 1;
    // windows (pad 4 2), (2 6 8)... over -1 ... 1, 1 ... 3, 3 ... 5: the last one ends outside the padding
    expect_values(b, b.pool(x, maximum, include_pad, w, 1, 3), {}, {{"x", {4, 2, 6, 8}}}, expected, what);
  };
  check(true, false, {4, 8, 8}, "max pool");
  check(false, false, {3, 16 / 3.0f, 8}, "average pool");
  check(false, true, {2, 16 / 3.0f, 4}, "average pool with padding");
}

TEST("ops: resize") {
  const auto check = [](Resize how, const Floats& expected, const char* what) {
    Builder b;
    const Value x = b.input("x", {1, 1, 3, 1});
    how.h = 1, how.scale_h = 1;
    how.scale_w = static_cast<float>(how.w) / 3;
    expect_values(b, b.resize(x, how), {}, {{"x", {0, 10, 40}}}, expected, what);
  };
  using Mode = ResizeMode;
  using Place = ResizeCoordinates;
  using Round = ResizeRounding;
  const auto how = [](int64_t w, Mode mode, Place place, Round round = Round::round_prefer_floor) {
    Resize r{};
    r.w = w, r.mode = mode, r.coordinates = place, r.rounding = round;
    return r;
  };
  // asymmetric places of six columns: 0, 0.5, 1, 1.5, 2, 2.5
  check(how(6, Mode::nearest, Place::asymmetric, Round::floor), {0, 0, 10, 10, 40, 40}, "floor");
  check(how(6, Mode::nearest, Place::asymmetric, Round::ceil), {0, 10, 10, 40, 40, 40}, "ceil");
  check(how(6, Mode::nearest, Place::asymmetric, Round::round_prefer_floor), {0, 0, 10, 10, 40, 40}, "prefer floor");
  check(how(6, Mode::nearest, Place::asymmetric, Round::round_prefer_ceil), {0, 10, 10, 40, 40, 40}, "prefer ceil");
  check(how(6, Mode::linear, Place::asymmetric), {0, 5, 10, 25, 40, 40}, "linear asymmetric");
  check(how(6, Mode::linear, Place::half_pixel), {0, 2.5f, 7.5f, 17.5f, 32.5f, 40}, "linear half_pixel");
  check(how(5, Mode::linear, Place::align_corners), {0, 5, 10, 25, 40}, "linear align_corners");
  check(how(1, Mode::linear, Place::half_pixel), {10}, "linear half_pixel to one");
  check(how(1, Mode::linear, Place::pytorch_half_pixel), {0}, "linear pytorch_half_pixel to one");
}

TEST("ops: resize in both directions") {
  Builder b;
  const Value x = b.input("x", {1, 2, 2, 1});
  Resize how{};
  how.h = 3, how.w = 3, how.scale_h = how.scale_w = 1.5f;
  how.mode = ResizeMode::linear, how.coordinates = ResizeCoordinates::align_corners;
  expect_values(b, b.resize(x, how), {}, {{"x", {0, 2, 4, 6}}}, {0, 1, 2, 2, 3, 4, 4, 5, 6}, "resize");
}

TEST("ops: softmax") {
  Builder b;
  const Value x = b.input("x", {1, 1, 2, 2});
  const float third = std::log(3.0f);
  expect_values(b, b.softmax(x), {}, {{"x", {0, third, 500 + third, 500}}}, {0.25f, 0.75f, 0.75f, 0.25f}, "softmax");
}

TEST("ops: reduce kinds over a middle axis") {
  const auto check = [](ReduceKind kind, const Floats& expected, const char* what) {
    Builder b;
    const Value x = b.input("x", {1, 2, 2, 2});
    expect_values(b, b.reduce(x, kind, 2, 2, 2, {1, 1, 2, 2}), {}, {{"x", {3, 1, 4, 2, -3, 0, -5, 0}}}, expected, what);
  };
  check(ReduceKind::sum, {7, 3, -8, 0}, "sum");
  check(ReduceKind::mean, {3.5f, 1.5f, -4, 0}, "mean");
  check(ReduceKind::max, {4, 2, -3, 0}, "max");
  check(ReduceKind::l2, {5, std::sqrt(5.0f), std::sqrt(34.0f), 0}, "l2");
}

TEST("ops: matmul of two values, one repeated") {
  Builder b;
  const Value x = b.input("x", {2, 1, 1, 2}), y = b.input("y", {1, 1, 2, 3});
  expect_values(b, b.matmul(x, y, 2, 1, 1, 2, 3), {}, {{"x", {1, 2, 0, 1}}, {"y", {1, 2, 3, 10, 20, 30}}},
                {21, 42, 63, 10, 20, 30}, "matmul");
}
