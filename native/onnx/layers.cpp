// Operators with weights: Conv, BatchNormalization, Gemm, MatMul.
#include <algorithm>
#include <cmath>

#include "onnx/recorder.h"

namespace ipa::onnx {

// y = x * scale + shift per channel, the statistics folded in. Called while `node` or the node before it is recorded.
std::optional<Recorder::ScaleShift> Recorder::batch_norm(const OnnxNode& node, int64_t channels) {
  const OnnxNode* const before = node_;
  node_ = &node;
  if (integer("training_mode", 0) != 0) fault("batch normalisation in training mode", "export the model for inference");
  static constexpr const char* kNames[] = {"", "scale", "shift", "mean", "variance"};
  std::vector<float> numbers[5];
  for (size_t i = 1; i < 5; ++i) {
    numbers[i] = reals(in(i), kNames[i]);
    if (in(i).rank() != 1 || in(i).dims()[0] != channels)
      fault(std::string(kNames[i]) + " has the shape " + ipa::text(in(i).dims()) + ", expected [" +
            std::to_string(channels) + "]");
  }
  const double epsilon = real("epsilon", 1e-5f);
  ScaleShift result{std::vector<float>(numbers[1].size()), std::vector<float>(numbers[1].size()), &node};
  for (size_t c = 0; c < numbers[1].size(); ++c) {
    const double scale = numbers[1][c] / std::sqrt(numbers[4][c] + epsilon);
    result.scale[c] = static_cast<float>(scale);
    result.shift[c] = static_cast<float>(numbers[2][c] - numbers[3][c] * scale);
  }
  node_ = before;
  return result;
}

std::optional<Recorder::ScaleShift> Recorder::following_batch_norm(int64_t channels) {
  const std::string& output = node_->outputs[0];
  const auto& readers = readers_[output];
  if (readers.size() != 1 || !readers[0] || readers[0]->op_type != "BatchNormalization") return std::nullopt;
  const OnnxNode& next = *readers[0];
  if (next.inputs[0] != output) return std::nullopt;
  for (size_t i = 1; i < 5; ++i) {
    const Item* parameter = find(next.inputs[i]);
    if (!parameter || !parameter->known()) return std::nullopt;
  }
  done_.insert(&next);
  return batch_norm(next, channels);
}

namespace {

using ScaleShift = std::optional<Recorder::ScaleShift>;

// The names of weight [M, ...] and bias [M] with what follows folded in: (W x + b) s + t = (s W) x + (s b + t).
struct Names {
  std::string weight, bias;
};
Names folded(Recorder& r, const Item& weight, const Item* bias, float bias_factor, const ScaleShift& after) {
  const int64_t rows = weight.dims()[0];
  if (!after && bias_factor == 1) return {r.matrix(weight, "weight"), bias ? r.vector(*bias, "bias") : ""};
  std::vector<float> b = bias ? r.reals(*bias, "bias") : std::vector<float>(static_cast<size_t>(rows));
  for (float& number : b) number *= bias_factor;
  if (!after) return {r.matrix(weight, "weight"), bias ? r.derive("bias", {rows}, std::move(b)) : ""};
  std::vector<float> w = r.reals(weight, "weight");
  const size_t row = w.size() / static_cast<size_t>(rows);
  for (size_t i = 0; i < w.size(); ++i) w[i] *= after->scale[i / row];
  for (size_t i = 0; i < b.size(); ++i) b[i] = b[i] * after->scale[i] + after->shift[i];
  return {r.derive("weight", weight.dims(), std::move(w)), r.derive("bias", {rows}, std::move(b))};
}

void give_after(Recorder& r, Item item, const ScaleShift& after) {
  r.give_as(after ? after->node->outputs[0] : r.node().outputs[0], std::move(item));
}

void expect_known(Recorder& r, const Item& weight) {
  if (!weight.known() || weight.whole_numbers()) r.fault("the weight must be constant real numbers");
}

// x [.., K] . W^T (+ bias) -> [.., M], W [M, K]. A flattened NHWC map stays as it lies: the columns of W move instead.
void dense(Recorder& r, const Item& x, Item weight, const Item* bias, float bias_factor) {
  const int64_t inner = x.dims().back(), out = weight.dims()[0], rows = product(x.dims()) / inner;
  if (out > kLargestTensor / 2) r.fault("more outputs than possible");
  const View flat = reshaped(x.view, {rows, inner});
  const auto groups = x.known() ? std::nullopt : per_dimension(flat);
  Value input = {};
  if (groups && is_permutation({{inner}, (*groups)[1], flat.offset}, inner) && x.value.shape.size() == rows * inner &&
      (rows == 1 || simplified((*groups)[0]) == Axes{{rows, inner}})) {
    input = r.b.reshape(x.value, {rows, 1, 1, inner});
    if (!is_whole((*groups)[1], 0, inner)) {
      const std::vector<float> from = r.reals(weight, "weight");
      std::vector<float> to(from.size());
      size_t at = 0;  // of `from`, walking its columns as x's elements are numbered in ONNX
      for (int64_t row = 0; row < out; ++row)
        for_each_element((*groups)[1], row * inner,
                         [&](int64_t place) { to[static_cast<size_t>(place)] = from[at++]; });
      weight = known_reals({out, inner}, std::move(to));
    }
  } else {
    input = r.b.reshape(r.plain(x), {rows, 1, 1, inner});
  }
  const ScaleShift after = x.rank() == 2 ? r.following_batch_norm(out) : std::nullopt;
  const Names names = folded(r, weight, bias, bias_factor, after);
  Dims dims = x.dims();
  dims.back() = out;
  r.elements(dims);
  const Value y = r.b.linear_named(r.label(), input, names.weight, names.bias, static_cast<int>(out));
  give_after(r, r.item(r.b.reshape(y, plan_shape(dims)), dims, plain_order(dims.size())), after);
}

// a [.., M, K] . b [.., K, N], both values; batch dimensions broadcast.
Item product_of_values(Recorder& r, Item a, Item b) {
  const int64_t m = a.dims()[a.rank() - 2], k = a.dims().back(), n = b.dims().back();
  Dims batch_a(a.dims().begin(), a.dims().end() - 2), batch_b(b.dims().begin(), b.dims().end() - 2);
  Dims batch = batch_a.size() > batch_b.size() ? batch_a : batch_b;
  const Dims& fewer = batch_a.size() > batch_b.size() ? batch_b : batch_a;
  for (size_t i = 0; i < fewer.size(); ++i) {
    int64_t& into = batch[batch.size() - fewer.size() + i];
    if (into != fewer[i] && into != 1 && fewer[i] != 1)
      r.fault("the batches of " + text(a.dims()) + " and " + text(b.dims()) + " do not fit");
    into = std::max(into, fewer[i]);
  }
  const int64_t count = r.elements(batch);
  const auto spread = [&](Item& x, Dims dims) {
    if (const int64_t own = product(dims); own == count || own == 1) return own;
    dims = batch;
    dims.insert(dims.end(), x.dims().end() - 2, x.dims().end());
    r.elements(dims);
    x = r.separable(x);
    x.view = *broadcast(x.view, dims);
    return count;
  };
  const int64_t count_a = spread(a, batch_a), count_b = spread(b, batch_b);
  Dims dims = batch;
  dims.insert(dims.end(), {m, n});
  r.elements(dims);
  const Value value_a = r.plain(a), value_b = r.plain(b);
  const Value y = r.named([&] { return r.b.matmul(value_a, value_b, count_a, count_b, m, k, n); });
  return r.item(r.b.reshape(y, plan_shape(dims)), dims, plain_order(dims.size()));
}

Item matrix_transposed(Recorder& r, Item item) {
  Order order = plain_order(item.rank());
  std::swap(order[item.rank() - 2], order[item.rank() - 1]);
  if (!walked(item.view, order)) item = r.separable(item);
  item.view = *transposed(item.view, order);
  return item;
}

}  // namespace

void conv(Recorder& r) {
  const Item& x = r.in(0);
  const Item& weight = r.in(1);
  const Item* bias = r.has(2) ? &r.in(2) : nullptr;
  if (x.rank() != 4 || weight.rank() != 4)
    r.fault("input " + text(x.dims()) + ", weight " + text(weight.dims()) + "; expected two tensors of four dimensions",
            "use a model of two-dimensional convolutions");
  expect_known(r, weight);
  const int64_t groups = r.integer("group", 1, 1, kLargestNumber), out = weight.dims()[0];
  if (r.elements(weight.dims()) == 0 || weight.dims()[1] * groups != x.dims()[1] || out % groups != 0)
    r.fault("weight " + text(weight.dims()) + " in " + std::to_string(groups) + " groups does not fit input " +
            text(x.dims()));
  if (bias && (bias->dims() != Dims{out} || !bias->known()))
    r.fault("bias " + text(bias->dims()) + ", expected constant [" + std::to_string(out) + "]");
  if (out > kLargestTensor / 2) r.fault("more channels than possible");
  Geometry g = geometry(r, x.dims(), weight.dims()[2], weight.dims()[3], false);
  g.window.groups = static_cast<int>(groups);
  const Dims dims = {x.dims()[0], out, g.out_h, g.out_w};
  r.elements(dims);
  const ScaleShift after = r.following_batch_norm(out);
  const Names names = folded(r, weight, bias, 1, after);
  const Value y =
      r.b.conv2d_named(r.label(), r.channels_last(x), names.weight, names.bias, static_cast<int>(out), g.window);
  give_after(r, r.item(y, dims, channels_last_order(4)), after);
}

void batch_normalization(Recorder& r) {
  const Item& x = r.in(0);
  if (x.rank() < 2) r.fault("input " + text(x.dims()) + " has no channels");
  const auto folded = r.batch_norm(r.node(), x.dims()[1]);
  const std::string scale = r.derive("scale", {x.dims()[1]}, folded->scale);
  const std::string shift = r.derive("shift", {x.dims()[1]}, folded->shift);
  const Value y = r.b.affine(scale, shift, r.channels_last(x));
  r.give(r.item(y, x.dims(), channels_last_order(x.rank())));
}

void gemm(Recorder& r) {
  Item a = r.in(0), b = r.in(1);
  const Item* c = r.has(2) ? &r.in(2) : nullptr;
  if (a.rank() != 2 || b.rank() != 2) r.fault("matrices " + text(a.dims()) + " and " + text(b.dims()));
  const float alpha = r.real("alpha", 1), beta = r.real("beta", 1);
  if (r.integer("transA", 0) != 0) a = matrix_transposed(r, a);
  Item rows = b;  // [N, K]
  if (r.integer("transB", 0) != 0)
    b = matrix_transposed(r, b);
  else
    rows = matrix_transposed(r, rows);
  if (a.dims()[1] != b.dims()[0] || r.elements(a.dims()) == 0 || r.elements(b.dims()) == 0)
    r.fault("matrices " + text(a.dims()) + " and " + text(b.dims()) + " do not fit");
  const int64_t n = b.dims()[1];
  const bool bias = c && c->known() && c->rank() > 0 && c->dims().back() == n && product(c->dims()) == n;
  if (b.known() && !b.whole_numbers() && alpha == 1 && (!c || bias)) {
    if (!c || beta == 0) return dense(r, a, rows, nullptr, 1);
    Item one_row = *c;
    one_row.view = reshaped(c->view, {n});
    return dense(r, a, rows, &one_row, beta);
  }

  Item y = product_of_values(r, a, b);
  if (alpha != 1) y = binary_of(r, BinaryKind::mul, y, known_reals({}, {alpha}));
  if (c && beta != 0) {
    const Item scaled = beta == 1 ? *c : binary_of(r, BinaryKind::mul, *c, known_reals({}, {beta}));
    const Dims dims = y.dims();
    y = binary_of(r, BinaryKind::add, y, scaled);
    if (y.dims() != dims) r.fault("C " + text(c->dims()) + " does not fit the product " + text(dims));
  }
  r.give(y);
}

void matmul(Recorder& r) {
  Item a = r.in(0), b = r.in(1);
  if (a.rank() == 0 || b.rank() == 0) r.fault("a factor is a single number");
  // A vector on the left is a row, on the right a column; the result loses that dimension again.
  const bool row = a.rank() == 1, column = b.rank() == 1;
  if (row) a.view = reshaped(a.view, {1, a.dims()[0]});
  if (column) b.view = reshaped(b.view, {b.dims()[0], 1});
  if (a.dims().back() != b.dims()[b.rank() - 2] || r.elements(a.dims()) == 0 || r.elements(b.dims()) == 0)
    r.fault("matrices " + text(a.dims()) + " and " + text(b.dims()) + " do not fit");
  if (b.known() && !b.whole_numbers() && b.rank() == 2 && !row && !column)
    return dense(r, a, matrix_transposed(r, b), nullptr, 1);
  Item y = product_of_values(r, a, b);
  Dims dims = y.dims();
  if (column) dims.pop_back();
  if (row) dims.erase(dims.end() - (column ? 1 : 2));
  y.view = reshaped(y.view, dims);
  r.give(y);
}

}  // namespace ipa::onnx
