#include "to_onnx/ops.h"

#include <utility>

#include "core/error.h"
#include "weights/tensor_values.h"

namespace ipa::to_onnx {

namespace {

[[noreturn]] void unknown(const Writing& w, const std::string& what) {
  fail(Code::INTERNAL, w.path + ": there is no ONNX form of " + what, "add it to tools/to_onnx/ops.cpp");
}

// [C] along the channels of a layout
Dims channels(int64_t c, Layout layout) { return layout == Layout::image ? Dims{c, 1, 1} : Dims{c}; }
int64_t channel_axis(Layout layout) { return layout == Layout::image ? 1 : 2; }

std::string applied(Writing& w, Function function, const std::string& x) {
  Graph& g = w.graph;
  switch (function) {
    case Function::identity:
      return x;
    case Function::silu:
      return g.node("Mul", {x, g.node("Sigmoid", {x})});
    case Function::gelu:
      return g.node("Gelu", {x});
    case Function::quick_gelu:
      return g.node("Mul", {x, g.node("Sigmoid", {g.node("Mul", {x, w.numbers({}, 1.702f)})})});
    default:
      unknown(w, "function " + std::to_string(static_cast<int>(function)) + " of ops.h");
  }
}

Placed sum(Writing& w, Placed a, ValueId b) {
  // A picture and tokens meet as a picture.
  if (a.layout == Layout::tokens && !w.values.has(b, Layout::tokens))
    a = {w.values.turned(a.name, w.shape, Layout::image), Layout::image};
  return {w.graph.node("Add", {a.name, w.values.get(b, a.layout)}), a.layout};
}

std::string geglu(Writing& w, const std::string& x) {
  const Names halves = w.graph.node("Split", {x}, 2, {{"axis", int64_t{-1}}, {"num_outputs", int64_t{2}}});
  return w.graph.node("Mul", {halves[0], w.graph.node("Gelu", {halves[1]})});
}

Placed finished(Writing& w, Placed y, const Epilogue& e) {
  if (e.channel != kNone) y = {w.graph.node("Add", {y.name, w.values.get(e.channel, y.layout)}), y.layout};
  y.name = e.geglu ? geglu(w, y.name) : applied(w, e.function, y.name);
  return e.residual == kNone ? y : sum(w, y, e.residual);
}

// Source index floor(i * in / out)
std::string upsampled(Writing& w, const std::string& x, const Shape& s, int64_t height, int64_t width) {
  return w.graph.node(
      "Resize", {x, "", "", w.graph.integers({s.n, s.c, height, width})},
      {{"mode", "nearest"}, {"coordinate_transformation_mode", "asymmetric"}, {"nearest_mode", "floor"}});
}

Placed write(Writing& w, const Conv2d& op) {
  const Shape& s = w.values.shape(op.x);
  std::string x = w.values.image(op.x);
  if (op.virtual_h > 0) x = upsampled(w, x, s, op.virtual_h, op.virtual_w);
  Names inputs = {x, w.weight(op.weight, {op.out, s.c / op.groups, op.kernel_h, op.kernel_w})};
  if (op.bias != kNone) inputs.push_back(w.weight(op.bias, {op.out}));
  const std::string y = w.graph.node("Conv", inputs,
                                     {{"kernel_shape", Dims{op.kernel_h, op.kernel_w}},
                                      {"strides", Dims{op.stride_h, op.stride_w}},
                                      {"pads", Dims{op.pad_top, op.pad_left, op.pad_bottom, op.pad_right}},
                                      {"dilations", Dims{op.dilation_h, op.dilation_w}},
                                      {"group", int64_t{op.groups}}});
  return finished(w, {y, Layout::image}, op.epilogue);
}

Placed write(Writing& w, const Linear& op) {
  std::string y = w.graph.node("MatMul", {w.values.tokens(op.x), w.transposed(op.weight)});
  if (op.bias != kNone) y = w.graph.node("Add", {y, w.weight(op.bias, {op.out})});
  return finished(w, {y, Layout::tokens}, op.epilogue);
}

// As PyTorch exports it: instances are the groups, scale and shift of the channels follow.
Placed write(Writing& w, const GroupNorm& op) {
  Graph& g = w.graph;
  const Dims dims = dims_in(w.shape, Layout::image), one = channels(w.shape.c, Layout::image);
  const std::string groups = g.node("Reshape", {w.values.image(op.x), g.integers({w.shape.n, op.groups, -1})});
  const std::string normal = g.node(
      "InstanceNormalization", {groups, w.numbers({op.groups}, 1), w.numbers({op.groups}, 0)}, {{"epsilon", op.eps}});
  const std::string scaled = g.node("Mul", {g.node("Reshape", {normal, g.integers(dims)}), w.weight(op.weight, one)});
  return {applied(w, op.function, g.node("Add", {scaled, w.weight(op.bias, one)})), Layout::image};
}

Placed write(Writing& w, const LayerNorm& op) {
  const Dims dims = {w.shape.c};
  return {
      w.graph.node("LayerNormalization", {w.values.tokens(op.x), w.weight(op.weight, dims), w.weight(op.bias, dims)},
                   {{"axis", int64_t{-1}}, {"epsilon", op.eps}}),
      Layout::tokens};
}

Placed write(Writing& w, const Apply& op) {
  const Layout layout = w.values.common({op.x});
  return {applied(w, op.function, w.values.get(op.x, layout)), layout};
}

Placed write(Writing& w, const Geglu& op) { return {geglu(w, w.values.tokens(op.x)), Layout::tokens}; }

Placed write(Writing& w, const Add& op) {
  const Layout layout = w.values.common({op.a, op.b});
  return {w.graph.node("Add", {w.values.get(op.a, layout), w.values.get(op.b, layout)}), layout};
}

Placed write(Writing& w, const AddChannel& op) {
  const Layout layout = w.values.common({op.x});
  return {w.graph.node("Add", {w.values.get(op.x, layout), w.values.get(op.channel, layout)}), layout};
}

Placed write(Writing& w, const AddScaled& op) {
  const Layout layout = w.values.common({op.x, op.y});
  const std::string y = scaled(w, w.values.get(op.y, layout), layout, op.row, op.cell, op.mask);
  return {w.graph.node("Add", {w.values.get(op.x, layout), y}), layout};
}

Placed write(Writing& w, const Concat& op) {
  const Layout layout = op.axis == 3 ? w.values.common(op.xs) : Layout::tokens;
  Names parts;
  for (const ValueId x : op.xs) parts.push_back(w.values.get(x, layout));
  return {w.graph.node("Concat", parts, {{"axis", op.axis == 3 ? channel_axis(layout) : int64_t{1}}}), layout};
}

Placed write(Writing& w, const Upsample& op) {
  return {upsampled(w, w.values.image(op.x), w.values.shape(op.x), op.h, op.w), Layout::image};
}

// Whole numbers come as floats.
std::string whole(Writing& w, ValueId x, const Dims& dims) {
  const std::string flat = w.graph.node("Reshape", {w.values.tokens(x), w.graph.integers(dims)});
  return w.graph.node("Cast", {flat}, {{"to", int64_t{7}}});
}

Placed write(Writing& w, const Embed& op) {
  const std::string table = w.weight(op.table, w.plan.weights[static_cast<size_t>(op.table)].dims);
  return {w.graph.node("Gather", {table, whole(w, op.ids, {w.shape.n, w.shape.tokens()})}), Layout::tokens};
}

Placed write(Writing& w, const Parameter& op) {
  const std::string once = w.weight(op.weight, {1, w.shape.tokens(), w.shape.c});
  if (w.shape.n == 1) return {once, Layout::tokens};
  return {w.graph.node("Expand", {once, w.graph.integers(dims_in(w.shape, Layout::tokens))}), Layout::tokens};
}

Placed write(Writing& w, const TakeToken& op) {
  const Names inputs = {w.values.tokens(op.x), whole(w, op.index, {w.shape.n, 1, 1})};
  return {w.graph.node("GatherND", inputs, {{"batch_dims", int64_t{1}}}), Layout::tokens};
}

// A copy of any order: by the number of the element that each one is.
Placed write(Writing& w, const Rearrange& op) {
  Dims from = {op.offset};
  for (size_t k = 0; k < op.dims.size(); ++k) {
    Dims next;
    for (const int64_t first : from)
      for (int64_t i = 0; i < op.dims[k]; ++i) next.push_back(first + i * op.strides[k]);
    from = std::move(next);
  }
  const std::string flat = w.graph.node("Reshape", {w.values.tokens(op.x), w.graph.integers({-1})});
  const std::string picked = w.graph.node("Gather", {flat, w.graph.integers(from)});
  return {w.graph.node("Reshape", {picked, w.graph.integers(dims_in(w.shape, Layout::tokens))}), Layout::tokens};
}

template <typename T>
Placed write(Writing& w, const T& op) {
  unknown(w, std::string("operation ") + op_name(Op(op)));
}

}  // namespace

std::string Writing::weight(SlotId slot, const Dims& dims) const {
  const WeightWant& want = plan.weights[static_cast<size_t>(slot)];
  const std::string name = dims == want.dims ? want.path : want.path + " as " + text(dims);
  if (!graph.has_weight(name)) graph.weight(name, dims, tensor_values(source, want.path));
  return name;
}

std::string Writing::transposed(SlotId slot) const {
  const WeightWant& want = plan.weights[static_cast<size_t>(slot)];
  const std::string name = want.path + " transposed";
  if (graph.has_weight(name)) return name;
  const std::vector<float> from = tensor_values(source, want.path);
  const size_t m = static_cast<size_t>(want.dims[0]), k = static_cast<size_t>(want.dims[1]);
  std::vector<float> to(from.size());
  for (size_t row = 0; row < m; ++row)
    for (size_t column = 0; column < k; ++column) to[column * m + row] = from[row * k + column];
  graph.weight(name, {want.dims[1], want.dims[0]}, to);
  return name;
}

std::string Writing::numbers(const Dims& dims, float value) const {
  return graph.floats(dims, std::vector<float>(static_cast<size_t>(product(dims)), value));
}

std::string scaled(Writing& w, std::string x, Layout layout, ValueId row, int cell, ValueId mask) {
  if (row != kNone) {
    const std::string flat = w.graph.node("Reshape", {w.values.tokens(row), w.graph.integers({-1})});
    x = w.graph.node("Mul", {x, w.graph.node("Gather", {flat, w.graph.integers({cell})})});
  }
  return mask == kNone ? x : w.graph.node("Mul", {x, w.values.get(mask, layout)});
}

Placed write(Writing& w, const Op& op) {
  w.graph.stand_for(w.path);
  return std::visit(Overloaded{[&](const Attend& attend) { return write_attend(w, attend); },
                               [&](const auto& other) { return write(w, other); }},
                    op);
}

}  // namespace ipa::to_onnx
