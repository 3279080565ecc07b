// Every rule of fold.cpp, where it applies and where it must not. That folded plans give the same numbers:
// fold_numbers.test.cpp.
#include <algorithm>
#include <string>
#include <vector>

#include "plan/builder.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

const Shape kImage{2, 4, 4, 8};

// The names of a plan's ops, in order: "conv2d apply".
std::string ops(const Plan& plan) {
  std::string list;
  for (const Node& node : plan.nodes) list += (list.empty() ? "" : " ") + std::string(op_name(node.op));
  return list;
}

template <typename T>
const T& first(const Plan& plan) {
  for (const Node& node : plan.nodes)
    if (const T* op = std::get_if<T>(&node.op)) return *op;
  throw std::runtime_error("the plan has no such op: " + ops(plan));
}

Plan folded(Builder& b, Value y) {
  b.output("y", y);
  return fold(b.finish());
}

// ---- element functions ----

TEST("fold: relu, silu, gelu and quick_gelu join the convolution or matrix before them") {
  for (const Function f : {Function::relu, Function::silu, Function::gelu, Function::quick_gelu}) {
    Builder b;
    const Plan conv = folded(b, b.apply(f, b.conv2d("conv", b.input("x", kImage), 6)));
    EXPECT_EQ(ops(conv), "conv2d");
    EXPECT(first<Conv2d>(conv).epilogue.function == f);
    EXPECT_EQ(conv.nodes[0].path, "conv");
    EXPECT_EQ(conv.nodes[0].output, conv.outputs.at("y"));
    const Plan linear = folded(b, b.apply(f, b.linear("linear", b.input("x", kImage), 6)));
    EXPECT_EQ(ops(linear), "linear");
    EXPECT(first<Linear>(linear).epilogue.function == f);
  }
}

TEST("fold: other functions, and a second one, stay ops") {
  Builder b;
  EXPECT_EQ(ops(folded(b, b.apply(Function::tanh, b.conv2d("conv", b.input("x", kImage), 6)))), "conv2d apply");
  EXPECT_EQ(ops(folded(b, b.silu(b.gelu(b.conv2d("conv", b.input("x", kImage), 6))))), "conv2d apply");
  EXPECT_EQ(ops(folded(b, b.silu(b.layer_norm("norm", b.input("x", kImage))))), "layer_norm apply");
}

TEST("fold: silu, and only silu, joins a group norm") {
  Builder b;
  const Plan plan = folded(b, b.silu(b.group_norm("norm", b.input("x", kImage), 4, 1e-5f)));
  EXPECT_EQ(ops(plan), "group_norm");
  EXPECT(first<GroupNorm>(plan).function == Function::silu);
  EXPECT_EQ(ops(folded(b, b.gelu(b.group_norm("norm", b.input("x", kImage), 4, 1e-5f)))), "group_norm apply");
  EXPECT_EQ(ops(folded(b, b.silu(b.silu(b.group_norm("norm", b.input("x", kImage), 4, 1e-5f))))), "group_norm apply");
}

TEST("fold: a convolution in groups takes nothing") {
  Builder b;
  Window grouped = square(3);
  grouped.groups = 2;
  const auto conv = [&] { return b.conv2d("conv", b.input("x", kImage), 8, grouped); };
  EXPECT_EQ(ops(folded(b, b.silu(conv()))), "conv2d apply");
  EXPECT_EQ(ops(folded(b, b.add(conv(), b.input("x", kImage)))), "conv2d add");
  EXPECT_EQ(ops(folded(b, b.conv2d("conv", b.upsample(b.input("x", kImage), 8, 8), 8, grouped))), "upsample conv2d");
}

// ---- what somebody else still needs ----

TEST("fold: a value with two readers stays") {
  Builder b;
  const Value h = b.conv2d("conv", b.input("x", kImage), 8);
  const Plan plan = folded(b, b.concat({b.silu(h), h}));
  EXPECT_EQ(ops(plan), "conv2d apply concat");
  EXPECT(first<Conv2d>(plan).epilogue.function == Function::identity);
}

TEST("fold: an output stays, also one that is a view") {
  for (const bool view : {false, true}) {
    Builder b;
    const Value h = b.conv2d("conv", b.input("x", kImage), 8);
    b.output("h", view ? b.reshape(h, {2, 1, 16, 8}) : h);
    EXPECT_EQ(ops(folded(b, b.silu(h))), "conv2d apply");
  }
}

TEST("fold: a value that a view looks at stays") {
  Builder b;
  const Value h = b.conv2d("conv", b.input("x", kImage), 8);
  const Value tokens = b.linear("linear", b.reshape(h, {2, 1, 16, 8}), 8);
  b.output("tokens", tokens);
  EXPECT_EQ(ops(folded(b, b.silu(h))), "conv2d linear apply");
}

// ---- GEGLU ----

TEST("fold: geglu joins its matrix, whose weight is then packed in pairs") {
  Builder b;
  const Plan plan = folded(b, b.geglu(b.linear("proj", b.input("x", kImage), 32)));
  EXPECT_EQ(ops(plan), "linear");
  EXPECT(first<Linear>(plan).epilogue.geglu);
  EXPECT(plan.weights[static_cast<size_t>(first<Linear>(plan).weight)].role == WeightRole::geglu);
  EXPECT(plan.weights[static_cast<size_t>(first<Linear>(plan).bias)].role == WeightRole::vector);
  EXPECT(plan.values[static_cast<size_t>(plan.outputs.at("y"))].shape == (Shape{2, 4, 4, 16}));
}

TEST("fold: geglu stays where its weight is read twice, or something was added before") {
  Builder b;
  Value x = b.input("x", kImage);
  const Plan shared = folded(b, b.concat({b.geglu(b.linear("proj", x, 16)), b.linear("proj", b.silu(x), 16)}));
  EXPECT_EQ(ops(shared), "linear geglu apply linear concat");
  EXPECT(shared.weights[0].role == WeightRole::matrix);
  x = b.input("x", kImage);
  EXPECT_EQ(ops(folded(b, b.geglu(b.add_channel(b.linear("proj", x, 16), b.input("c", {1, 1, 1, 16}))))),
            "linear geglu");
}

TEST("fold: nothing but a residual follows geglu") {
  Builder b;
  Value x = b.input("x", kImage);
  EXPECT_EQ(ops(folded(b, b.silu(b.geglu(b.linear("proj", x, 16))))), "linear apply");
  x = b.input("x", kImage);
  EXPECT_EQ(ops(folded(b, b.add_channel(b.geglu(b.linear("proj", x, 16)), b.input("c", {1, 1, 1, 8})))),
            "linear add_channel");
  x = b.input("x", kImage);
  const Plan plan = folded(b, b.add(b.geglu(b.linear("proj", x, 16)), x));
  EXPECT_EQ(ops(plan), "linear");
  EXPECT_EQ(first<Linear>(plan).epilogue.residual, plan.inputs.at("x"));
}

// ---- channel vectors ----

TEST("fold: one vector per sample joins its producer, a second one stays") {
  Builder b;
  const Value time = b.input("time", {1, 1, 1, 8});
  const Plan plan = folded(b, b.add_channel(b.add_channel(b.conv2d("conv", b.input("x", kImage), 8), time), time));
  EXPECT_EQ(ops(plan), "conv2d add_channel");
  EXPECT_EQ(first<Conv2d>(plan).epilogue.channel, plan.inputs.at("time"));
}

TEST("fold: a vector added after the function, or after a residual, stays") {
  Builder b;
  const auto conv = [&] { return b.conv2d("conv", b.input("x", kImage), 8); };
  const auto time = [&] { return b.input("time", {1, 1, 1, 8}); };
  EXPECT_EQ(ops(folded(b, b.add_channel(b.silu(conv()), time()))), "conv2d add_channel");
  EXPECT_EQ(ops(folded(b, b.add_channel(b.add(conv(), b.input("x", kImage)), time()))), "conv2d add_channel");
}

// ---- residuals ----

TEST("fold: vector, function and residual all join, in the order of the epilogue") {
  Builder b;
  const Value x = b.input("x", kImage);
  const Value h = b.add_channel(b.conv2d("conv", x, 8), b.input("time", {2, 1, 1, 8}));
  const Plan plan = folded(b, b.add(x, b.silu(h)));
  EXPECT_EQ(ops(plan), "conv2d");
  const Epilogue& e = first<Conv2d>(plan).epilogue;
  EXPECT_EQ(e.channel, plan.inputs.at("time"));
  EXPECT(e.function == Function::silu);
  EXPECT_EQ(e.residual, plan.inputs.at("x"));
}

TEST("fold: of two producers the later one takes the sum") {
  for (const bool swapped : {false, true}) {
    Builder b;
    const Value x = b.input("x", kImage);
    const Value early = b.conv2d("early", x, 8), late = b.linear("late", x, 8);
    const Plan plan = folded(b, swapped ? b.add(late, early) : b.add(early, late));
    EXPECT_EQ(ops(plan), "conv2d linear");
    EXPECT_EQ(first<Conv2d>(plan).epilogue.residual, kNone);
    EXPECT_EQ(first<Linear>(plan).epilogue.residual, early.id);
  }
}

TEST("fold: where the later producer cannot take the sum, the earlier one does and moves behind it") {
  Builder b;
  const Value x = b.input("x", kImage);
  const Value early = b.conv2d("early", x, 8), late = b.layer_norm("late", x);
  const Plan plan = folded(b, b.add(early, late));
  EXPECT_EQ(ops(plan), "layer_norm conv2d");
  EXPECT_EQ(first<Conv2d>(plan).epilogue.residual, late.id);
}

TEST("fold: sums that no epilogue can hold stay") {
  Builder b;
  const auto conv = [&] { return b.conv2d("conv", b.input("x", kImage), 8); };
  EXPECT_EQ(ops(folded(b, b.add(conv(), b.input("every", {1, 4, 4, 8})))), "conv2d add");  // one row for all samples
  const Value twice = conv();
  EXPECT_EQ(ops(folded(b, b.add(twice, twice))), "conv2d add");
  EXPECT_EQ(ops(folded(b, b.silu(b.add(conv(), b.input("x", kImage))))), "conv2d apply");  // function after the sum
  EXPECT_EQ(ops(folded(b, b.add(b.add(conv(), b.input("x", kImage)), b.input("z", kImage)))), "conv2d add");
  EXPECT_EQ(ops(folded(b, b.add(b.silu(b.input("x", kImage)), b.input("z", kImage)))), "apply add");
}

// ---- upsampling ----

TEST("fold: an upsample joins the convolution that reads it") {
  Builder b;
  const Value x = b.input("x", kImage);
  const Plan plan = folded(b, b.conv2d("conv", b.upsample(x, 7, 9), 8));
  EXPECT_EQ(ops(plan), "conv2d");
  const Conv2d& conv = first<Conv2d>(plan);
  EXPECT_EQ(conv.x, x.id);
  EXPECT_EQ(conv.virtual_h, 7);
  EXPECT_EQ(conv.virtual_w, 9);
}

TEST("fold: an upsample with two readers stays") {
  Builder b;
  const Value up = b.upsample(b.input("x", kImage), 8, 8);
  const Value y = b.concat({b.conv2d("a", up, 8), b.conv2d("b", up, 8)});
  EXPECT_EQ(ops(folded(b, y)), "upsample conv2d conv2d concat");
}

// ---- image prompts ----

struct Site {
  Builder b;
  Value q = b.linear("to_q", b.input("x", kImage), 8, false);
  Value row = b.input("scales", {1, 1, 1, 5});
  Value attend(const std::string& name, int heads = 2, bool causal = false) {
    const Shape keys{2, 1, 6, 8};
    return b.attend(q, b.input(name + "_k", keys), b.input(name + "_v", keys), heads, {0, causal});
  }
};

TEST("fold: image prompts become terms of the text's attention, scale cell and mask kept") {
  Site s;
  const Value mask = s.b.input("mask", {1, 4, 4, 1});
  Value y = s.b.add_scaled(s.attend("text"), s.attend("image0"), s.row, 3);
  y = s.b.add_scaled(y, s.attend("image1"), s.row, 4, mask);
  const Plan plan = folded(s.b, y);
  EXPECT_EQ(ops(plan), "linear attend");
  const Attend& merged = first<Attend>(plan);
  EXPECT_EQ(merged.terms.size(), size_t{3});
  EXPECT_EQ(merged.terms[0].k, plan.inputs.at("text_k"));
  EXPECT_EQ(merged.terms[0].row, kNone);
  EXPECT_EQ(merged.terms[1].v, plan.inputs.at("image0_v"));
  EXPECT_EQ(merged.terms[1].row, s.row.id);
  EXPECT_EQ(merged.terms[1].cell, 3);
  EXPECT_EQ(merged.terms[1].mask, kNone);
  EXPECT_EQ(merged.terms[2].cell, 4);
  EXPECT_EQ(merged.terms[2].mask, mask.id);
}

TEST("fold: attentions that differ in query, heads or direction are no terms of one") {
  Site other;
  const Value q = other.q, text = other.attend("text");
  other.q = other.b.linear("to_q2", other.b.input("x", kImage), 8, false);
  EXPECT_EQ(ops(folded(other.b, other.b.add_scaled(text, other.attend("image"), other.row, 0))),
            "linear attend linear attend add_scaled");
  EXPECT(q.id != other.q.id);
  Site heads;
  EXPECT_EQ(ops(folded(heads.b, heads.b.add_scaled(heads.attend("text"), heads.attend("image", 4), heads.row, 0))),
            "linear attend attend add_scaled");
  Site causal;
  EXPECT_EQ(ops(folded(causal.b,
                       causal.b.add_scaled(causal.attend("a", 2, true), causal.attend("b", 2, true), causal.row, 0))),
            "linear attend attend add_scaled");
}

TEST("fold: an attention that somebody else reads stays") {
  Site s;
  const Value image = s.attend("image");
  const Value y = s.b.add_scaled(s.attend("text"), image, s.row, 0);
  s.b.output("image", image);
  EXPECT_EQ(ops(folded(s.b, y)), "linear attend attend add_scaled");
  Site t;
  const Value text = t.attend("text");
  t.b.output("text", text);
  EXPECT_EQ(ops(folded(t.b, t.b.add_scaled(text, t.attend("image"), t.row, 0))), "linear attend attend add_scaled");
}

// ---- the whole ----

TEST("fold: weights keep their numbers, inputs and outputs their names") {
  Builder b;
  const Value x = b.input("x", kImage);
  b.output("middle", b.silu(b.conv2d("conv", x, 8)));
  b.output("y", b.add(b.linear("linear", x, 8), x));
  const Plan plain = b.finish(), plan = fold(plain);
  EXPECT(plan.inputs == plain.inputs);
  EXPECT(plan.outputs == plain.outputs);
  EXPECT_EQ(plan.weights.size(), plain.weights.size());
  for (size_t i = 0; i < plan.weights.size(); ++i) EXPECT_EQ(plan.weights[i].path, plain.weights[i].path);
}

TEST("fold: a folded plan does not fold further") {
  Builder b;
  const Value x = b.input("x", kImage);
  const Value h = b.silu(b.conv2d("conv", b.upsample(x, 8, 8), 8));
  const Plan once = folded(b, b.add(b.conv2d("conv2", h, 8), h));
  EXPECT_EQ(print(fold(once)), print(once));
}

}  // namespace
