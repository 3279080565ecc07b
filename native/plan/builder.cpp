#include "plan/builder.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace ipa {

namespace {

// A model that records nonsense is a bug of ours; the path says where.
[[noreturn]] void misrecorded(const std::string& path, const std::string& what) {
  fail(Code::INTERNAL, path + ": " + what, "report this with the model that was loaded", {{"path", path}});
}

int64_t extent(int64_t size, int before, int after, int kernel, int stride, int dilation) {
  return (size + before + after - dilation * (kernel - 1) - 1) / stride + 1;
}

}  // namespace

const char* op_name(const Op& op) {
  static constexpr const char* kNames[] = {"conv2d",   "linear", "group_norm", "moments",     "layer_norm", "attend",
                                           "apply",    "geglu",  "add",        "add_channel", "add_scaled", "concat",
                                           "upsample", "embed",  "parameter",  "sinusoid",    "take_token", "rearrange",
                                           "pad",      "binary", "affine",     "pool",        "resize",     "softmax",
                                           "reduce",   "matmul"};
  static_assert(std::size(kNames) == std::variant_size_v<Op>);
  return kNames[op.index()];
}

Window square(int kernel, int stride) {
  const int pad = (kernel - 1) / 2;
  return {kernel, kernel, stride, stride, pad, pad, pad, pad, 1, 1, 1};
}

Builder::Scope Builder::enter(std::string_view name) {
  const size_t before = scope_.size();
  scope_ = path(name);
  return Scope(*this, before);
}

std::string Builder::path(std::string_view name) const {
  if (name.empty()) return scope_;
  return scope_.empty() ? std::string(name) : scope_ + "." + std::string(name);
}

Shape Builder::check(Value v, std::string_view where) const {
  if (v.id < 0 || v.id >= static_cast<ValueId>(plan_.values.size())) misrecorded(path(where), "an input is no value");
  if (plan_.values[v.id].shape != v.shape) misrecorded(path(where), "an input was reshaped without reshape()");
  return v.shape;
}

Value Builder::record(Op op, const Shape& shape, std::string node_path) {
  if (shape.n <= 0 || shape.h <= 0 || shape.w <= 0 || shape.c <= 0)
    misrecorded(node_path, std::string(op_name(op)) + " has the empty result " + text(shape));
  const ValueId id = static_cast<ValueId>(plan_.values.size());
  plan_.values.push_back({shape, {}, kNone});
  plan_.nodes.push_back({std::move(op), id, std::move(node_path)});
  return {id, shape};
}

SlotId Builder::slot(const std::string& name, const Dims& dims, WeightRole role) {
  const auto [it, added] = slots_.try_emplace(name, static_cast<SlotId>(plan_.weights.size()));
  if (added) {
    plan_.weights.push_back({name, dims, role});
  } else if (plan_.weights[it->second].dims != dims || plan_.weights[it->second].role != role) {
    misrecorded(name, "a weight is wanted in two shapes");
  }
  return it->second;
}

Value Builder::input(std::string_view name, const Shape& shape) {
  const auto found = plan_.inputs.find(std::string(name));
  if (found != plan_.inputs.end()) {
    if (plan_.values[found->second].shape != shape) misrecorded(std::string(name), "an input is given two shapes");
    return {found->second, shape};
  }
  const ValueId id = static_cast<ValueId>(plan_.values.size());
  plan_.values.push_back({shape, std::string(name), kNone});
  plan_.inputs.emplace(name, id);
  return {id, shape};
}

void Builder::output(std::string_view name, Value v) {
  check(v, name);
  plan_.outputs[std::string(name)] = v.id;
}

Value Builder::tap(std::string_view name, Value v) {
  const std::string full = path(name);
  if (wanted_taps_.contains(full)) output(full, v);
  return v;
}

Value Builder::conv2d(std::string_view name, Value x, int out, int kernel, int stride, bool bias) {
  return conv2d(name, x, out, square(kernel, stride), bias);
}

Value Builder::conv2d(std::string_view name, Value x, int out, const Window& window, bool bias) {
  const std::string full = path(name);
  return conv2d_named(full, x, full + ".weight", bias ? full + ".bias" : "", out, window);
}

Value Builder::conv2d_named(std::string_view node, Value x, const std::string& weight, const std::string& bias, int out,
                            const Window& w) {
  const std::string full(node);
  const Shape s = check(x, node);
  if (w.groups < 1 || s.c % w.groups || out % w.groups) misrecorded(full, "the groups do not divide the channels");
  const Dims dims = {out, s.c / w.groups, w.kernel_h, w.kernel_w};
  Conv2d op{x.id, slot(weight, dims, w.groups == 1 ? WeightRole::matrix : WeightRole::grouped),
            bias.empty() ? kNone : slot(bias, {out}, WeightRole::vector), out};
  op.kernel_h = w.kernel_h, op.kernel_w = w.kernel_w, op.stride_h = w.stride_h, op.stride_w = w.stride_w;
  op.pad_top = w.pad_top, op.pad_left = w.pad_left, op.pad_bottom = w.pad_bottom, op.pad_right = w.pad_right;
  op.dilation_h = w.dilation_h, op.dilation_w = w.dilation_w, op.groups = w.groups;
  const Shape result{s.n, extent(s.h, w.pad_top, w.pad_bottom, w.kernel_h, w.stride_h, w.dilation_h),
                     extent(s.w, w.pad_left, w.pad_right, w.kernel_w, w.stride_w, w.dilation_w), out};
  return record(op, result, full);
}

Value Builder::linear(std::string_view name, Value x, int out, bool bias) {
  const std::string full = path(name);
  return linear_named(full, x, full + ".weight", bias ? full + ".bias" : "", out);
}

Value Builder::linear_named(std::string_view node, Value x, const std::string& weight, const std::string& bias,
                            int out) {
  Shape s = check(x, node);
  const Linear op{x.id, slot(weight, {out, s.c}, WeightRole::matrix),
                  bias.empty() ? kNone : slot(bias, {out}, WeightRole::vector), out};
  s.c = out;
  return record(op, s, std::string(node));
}

Value Builder::exact(Value v) {
  const bool last = !plan_.nodes.empty() && plan_.nodes.back().output == v.id;
  const auto* conv = last ? std::get_if<Conv2d>(&plan_.nodes.back().op) : nullptr;
  const auto* linear = last ? std::get_if<Linear>(&plan_.nodes.back().op) : nullptr;
  if (!conv && !linear) misrecorded(path("exact"), "it is for the product that was recorded last");
  plan_.weights[static_cast<size_t>(conv ? conv->weight : linear->weight)].exact = true;
  return v;
}

Value Builder::group_norm(std::string_view name, Value x, int groups, float eps, Value moments) {
  const Shape s = check(x, name);
  const std::string full = path(name);
  if (groups < 1 || s.c % groups) misrecorded(full, "the groups do not divide the channels");
  if (moments.id != kNone) {
    const Shape m = check(moments, name);
    if (m != Shape{s.n, m.h, 1, 2 * groups}) misrecorded(full, "moments " + text(m) + " of " + text(s));
  }
  GroupNorm op{x.id, slot(full + ".weight", {s.c}, WeightRole::vector), slot(full + ".bias", {s.c}, WeightRole::vector),
               groups, eps};
  op.moments = moments.id;
  return record(op, s, full);
}

Value Builder::moments(Value x, int groups) {
  const Shape s = check(x, "moments");
  if (groups < 1 || s.c % groups) misrecorded(path("moments"), "the groups do not divide the channels");
  return record(Moments{x.id, groups}, {s.n, s.h, 1, 2 * groups}, path("moments"));
}

Value Builder::layer_norm(std::string_view name, Value x, float eps) {
  const Shape s = check(x, name);
  const std::string full = path(name);
  return record(LayerNorm{x.id, slot(full + ".weight", {s.c}, WeightRole::vector),
                          slot(full + ".bias", {s.c}, WeightRole::vector), eps},
                s, full);
}

Value Builder::embed(std::string_view name, Value ids, int64_t rows, int width) {
  Shape s = check(ids, name);
  const std::string full = path(name);
  if (s.c != 1) misrecorded(full, "ids are one number per token");
  s.c = width;
  return record(Embed{ids.id, slot(full + ".weight", {rows, width}, WeightRole::vector)}, s, full);
}

Value Builder::parameter(std::string_view full_name, const Dims& dims, const Shape& shape) {
  const std::string full = path(full_name);
  if (product(dims) != shape.h * shape.w * shape.c) misrecorded(full, "a parameter does not fill its shape");
  return record(Parameter{slot(full, dims, WeightRole::vector), shape}, shape, full);
}

Value Builder::affine(std::string_view scale, std::string_view shift, Value x) {
  const Shape s = check(x, scale);
  return record(
      Affine{x.id, slot(path(scale), {s.c}, WeightRole::vector), slot(path(shift), {s.c}, WeightRole::vector)}, s,
      path(scale));
}

Value Builder::attend(Value q, Value k, Value v, int heads, AttendOptions options) {
  const Shape s = check(q, "attend"), keys = check(k, "attend");
  if (keys != check(v, "attend") || keys.c != s.c || heads < 1 || s.c % heads || (keys.n != s.n && keys.n != 1))
    misrecorded(path("attend"), "q " + text(s) + " does not fit k, v " + text(keys));
  return record(Attend{q.id, {{k.id, v.id}}, heads, options.factor, options.causal}, s, path("attend"));
}

Value Builder::apply(Function function, Value x, float alpha, float beta) {
  return record(Apply{x.id, function, alpha, beta}, check(x, "apply"), path("apply"));
}

Value Builder::geglu(Value x) {
  Shape s = check(x, "geglu");
  if (s.c % 2) misrecorded(path("geglu"), "an odd number of channels");
  s.c /= 2;
  return record(Geglu{x.id}, s, path("geglu"));
}

Value Builder::add(Value a, Value b) {
  const Shape s = check(a, "add");
  Shape one = s;
  one.n = 1;
  if (check(b, "add") != s && b.shape != one) misrecorded(path("add"), text(s) + " + " + text(b.shape));
  return record(Add{a.id, b.id}, s, path("add"));
}

Value Builder::add_channel(Value x, Value channel) {
  const Shape s = check(x, "add_channel"), c = check(channel, "add_channel");
  if (c.c != s.c || c.tokens() != 1 || (c.n != s.n && c.n != 1))
    misrecorded(path("add_channel"), text(s) + " + " + text(c));
  return record(AddChannel{x.id, channel.id}, s, path("add_channel"));
}

Value Builder::add_scaled(Value x, Value y, Value row, int cell, Value mask) {
  const Shape s = check(x, "add_scaled");
  if (check(y, "add_scaled") != s) misrecorded(path("add_scaled"), text(s) + " + " + text(y.shape));
  if (row.id != kNone && (cell < 0 || cell >= check(row, "add_scaled").size()))
    misrecorded(path("add_scaled"), "the scale row has no cell " + std::to_string(cell));
  if (mask.id != kNone && (check(mask, "add_scaled").tokens() != s.tokens() || mask.shape.c != 1 ||
                           (mask.shape.n != 1 && mask.shape.n != s.n)))
    misrecorded(path("add_scaled"), "mask " + text(mask.shape) + " on " + text(s));
  return record(AddScaled{x.id, y.id, row.id, cell, mask.id}, s, path("add_scaled"));
}

Value Builder::concat(const std::vector<Value>& xs, int axis) {
  Shape s = check(xs.at(0), "concat");
  Concat op{{}, axis};
  const auto joined = [axis](Shape& shape) -> int64_t& { return axis == 3 ? shape.c : axis == 2 ? shape.w : shape.h; };
  int64_t sum = 0;
  for (const Value& x : xs) {
    Shape other = check(x, "concat");
    sum += joined(other);
    joined(other) = joined(s);
    if (other != s || (axis == 2 && s.h != 1)) misrecorded(path("concat"), text(x.shape) + " beside " + text(s));
    op.xs.push_back(x.id);
  }
  joined(s) = sum;
  return record(std::move(op), s, path("concat"));
}

Value Builder::upsample(Value x, int64_t h, int64_t w) {
  Shape s = check(x, "upsample");
  s.h = h, s.w = w;
  return record(Upsample{x.id, h, w}, s, path("upsample"));
}

Value Builder::sinusoid(Value x, int width, bool sin_first, int divisor) {
  Shape s = check(x, "sinusoid");
  if (s.tokens() != 1 || width % 2) misrecorded(path("sinusoid"), text(s) + ", width " + std::to_string(width));
  s.c *= width;
  return record(Sinusoid{x.id, width, sin_first, divisor ? divisor : width / 2}, s, path("sinusoid"));
}

Value Builder::take_token(Value x, Value index) {
  const Shape s = check(x, "take_token");
  if (check(index, "take_token").n != s.n || index.shape.size() != s.n)
    misrecorded(path("take_token"), "one index per sample");
  return record(TakeToken{x.id, index.id}, {s.n, 1, 1, s.c}, path("take_token"));
}

Value Builder::tokens(Value x, int64_t first, int64_t count) {
  const Shape s = check(x, "tokens");
  if (first < 0 || first + count > s.tokens()) misrecorded(path("tokens"), "outside " + text(s));
  return rearrange(x, {s.n, count, s.c}, {s.tokens() * s.c, s.c, 1}, first * s.c, {s.n, 1, count, s.c});
}

Value Builder::channels(Value x, int64_t first, int64_t count) {
  const Shape s = check(x, "channels");
  if (first < 0 || first + count > s.c) misrecorded(path("channels"), "outside " + text(s));
  return rearrange(x, {s.rows(), count}, {s.c, 1}, first, {s.n, s.h, s.w, count});
}

Value Builder::reshape(Value x, const Shape& shape) {
  check(x, "reshape");
  if (shape.size() != x.shape.size()) misrecorded(path("reshape"), text(x.shape) + " to " + text(shape));
  if (shape == x.shape) return x;
  const ValueId root = plan_.values[x.id].alias == kNone ? x.id : plan_.values[x.id].alias;
  const ValueId id = static_cast<ValueId>(plan_.values.size());
  plan_.values.push_back({shape, {}, root});
  return {id, shape};
}

Value Builder::rearrange(Value x, const Dims& dims, const Dims& strides, int64_t offset, const Shape& shape) {
  int64_t low = offset, high = offset;  // first and last element read
  for (size_t i = 0; i < dims.size(); ++i) (strides[i] < 0 ? low : high) += strides[i] * (dims[i] - 1);
  if (dims.size() != strides.size() || product(dims) != shape.size() || low < 0 || high >= check(x, "rearrange").size())
    misrecorded(path("rearrange"), text(dims) + " of " + text(x.shape) + " to " + text(shape));
  return record(Rearrange{x.id, dims, strides, offset, shape}, shape, path("rearrange"));
}

Value Builder::pad(Value x, const Dims& dims, const Dims& before, const Dims& after, float value, const Shape& shape) {
  int64_t size = 1;
  for (size_t i = 0; i < dims.size(); ++i) size *= dims[i] + before.at(i) + after.at(i);
  if (product(dims) != check(x, "pad").size() || size != shape.size()) misrecorded(path("pad"), text(dims));
  return record(Pad{x.id, dims, before, after, value, shape}, shape, path("pad"));
}

Value Builder::binary(BinaryKind kind, Value a, Value b, const Dims& dims, const Dims& strides_a, const Dims& strides_b,
                      const Shape& shape) {
  check(a, "binary"), check(b, "binary");
  if (product(dims) != shape.size() || strides_a.size() != dims.size() || strides_b.size() != dims.size())
    misrecorded(path("binary"), text(dims) + " to " + text(shape));
  return record(Binary{a.id, b.id, kind, dims, strides_a, strides_b, shape}, shape, path("binary"));
}

Value Builder::pool(Value x, bool maximum, bool include_pad, const Window& w, int64_t out_h, int64_t out_w) {
  const Shape s = check(x, "pool");
  return record(Pool{x.id, maximum, include_pad, w.kernel_h, w.kernel_w, w.stride_h, w.stride_w, w.pad_top, w.pad_left,
                     w.pad_bottom, w.pad_right, out_h, out_w},
                {s.n, out_h, out_w, s.c}, path("pool"));
}

Value Builder::resize(Value x, const Resize& how) {
  Shape s = check(x, "resize");
  Resize op = how;
  op.x = x.id;
  s.h = op.h, s.w = op.w;
  return record(op, s, path("resize"));
}

Value Builder::softmax(Value x) { return record(Softmax{x.id}, check(x, "softmax"), path("softmax")); }

Value Builder::reduce(Value x, ReduceKind kind, int64_t outer, int64_t count, int64_t inner, const Shape& shape) {
  if (outer * count * inner != check(x, "reduce").size() || outer * inner != shape.size())
    misrecorded(path("reduce"), text(x.shape) + " to " + text(shape));
  return record(Reduce{x.id, kind, outer, count, inner, shape}, shape, path("reduce"));
}

Value Builder::matmul(Value a, Value b, int64_t batch_a, int64_t batch_b, int64_t m, int64_t k, int64_t n) {
  const int64_t batch = std::max(batch_a, batch_b);
  if (check(a, "matmul").size() != batch_a * m * k || check(b, "matmul").size() != batch_b * k * n ||
      (batch_a != batch && batch_a != 1) || (batch_b != batch && batch_b != 1))
    misrecorded(path("matmul"), text(a.shape) + " . " + text(b.shape));
  return record(MatMul{a.id, b.id, batch_a, batch_b, m, k, n}, {batch, 1, m, n}, path("matmul"));
}

Plan Builder::finish() {
  // Needed values, found backwards; a view needs the value it looks at.
  std::vector<bool> needed(plan_.values.size());
  const auto root = [&](ValueId id) { return plan_.values[id].alias == kNone ? id : plan_.values[id].alias; };
  for (const auto& [name, id] : plan_.outputs) needed[root(id)] = true;
  std::vector<bool> kept(plan_.nodes.size());
  for (size_t i = plan_.nodes.size(); i-- > 0;) {
    kept[i] = needed[plan_.nodes[i].output];
    if (kept[i]) for_each_input(std::as_const(plan_.nodes[i].op), [&](ValueId id) { needed[root(id)] = true; });
  }
  Plan plan{{}, std::move(plan_.values), {}, std::move(plan_.inputs), std::move(plan_.outputs)};
  std::vector<SlotId> renumbered(plan_.weights.size(), kNone);
  for (size_t i = 0; i < kept.size(); ++i) {
    if (!kept[i]) continue;
    for_each_slot(plan_.nodes[i].op, [&](SlotId& slot) {
      if (renumbered[slot] == kNone) {
        renumbered[slot] = static_cast<SlotId>(plan.weights.size());
        plan.weights.push_back(plan_.weights[slot]);
      }
      slot = renumbered[slot];
    });
    plan.nodes.push_back(std::move(plan_.nodes[i]));
  }
  *this = Builder();
  return plan;
}

}  // namespace ipa
