// Operators that only change the view: Reshape, Transpose, Slice and their kin.
#include <algorithm>
#include <limits>

#include "onnx/recorder.h"

namespace ipa::onnx {

Item cut(Recorder& r, const Item& x, size_t axis, int64_t first, int64_t count, int64_t step) {
  Item result = x;
  std::optional<View> view = sliced(x.view, axis, first, count, step);
  if (!view) {
    result = r.separable(x);
    view = sliced(result.view, axis, first, count, step);
  }
  result.view = *view;
  return result;
}

Item with_dims(const Item& x, const Dims& dims) {
  Item result = x;
  result.view = reshaped(x.view, dims);
  return result;
}

namespace {

int64_t clamped(int64_t number, int64_t low, int64_t high) { return std::min(std::max(number, low), high); }

}  // namespace

void identity(Recorder& r) { r.give(r.in(0)); }

void dropout(Recorder& r) {
  if (r.has(2)) {
    const std::vector<int64_t> training = r.integers(r.in(2), "training_mode");
    if (training.size() != 1 || training[0] != 0) r.fault("dropout in training mode", "export the model for inference");
  }
  r.give(r.in(0));
}

void flatten(Recorder& r) {
  const Item& x = r.in(0);
  const int64_t rank = static_cast<int64_t>(x.rank());
  const int64_t axis = r.integer("axis", 1, -rank, rank);
  const auto border = x.dims().begin() + (axis < 0 ? axis + rank : axis);
  const int64_t outer = product(Dims(x.dims().begin(), border)), inner = product(Dims(border, x.dims().end()));
  r.give(with_dims(x, {outer, inner}));
}

void reshape(Recorder& r) {
  const Item& x = r.in(0);
  Dims dims = r.integers(r.in(1), "the shape");
  const bool zero_copies = r.integer("allowzero", 0) == 0;
  std::optional<size_t> open;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] == 0 && zero_copies) {
      if (i >= x.rank()) r.fault("shape " + text(dims) + " copies a size that " + text(x.dims()) + " does not have");
      dims[i] = x.dims()[i];
    } else if (dims[i] == -1) {
      if (open) r.fault("shape " + text(dims) + " leaves two sizes open");
      open = i;
    }
  }
  const int64_t count = r.elements(x.dims());
  if (open) {
    dims[*open] = 1;
    const int64_t rest = r.elements(dims);
    if (rest == 0 || count % rest != 0)
      r.fault(text(x.dims()) + " cannot be reshaped to " + text(dims) + " and an open size");
    dims[*open] = count / rest;
  }
  if (r.elements(dims) != count) r.fault(text(x.dims()) + " cannot be reshaped to " + text(dims));
  r.give(with_dims(x, dims));
}

void transpose(Recorder& r) {
  const Item& x = r.in(0);
  Order order = plain_order(x.rank());
  std::reverse(order.begin(), order.end());
  if (const std::vector<int64_t>* perm = r.integers("perm"); perm && !(perm->empty() && x.rank() > 0)) {
    if (perm->size() != x.rank()) r.fault("perm " + text(*perm) + " for input " + text(x.dims()));
    order = r.axes(*perm, x.rank());
  }
  Item y = x;
  std::optional<View> view = transposed(x.view, order);
  if (!view) {
    y = r.separable(x);
    view = transposed(y.view, order);
  }
  y.view = *view;
  r.give(y);
}

void squeeze(Recorder& r) {
  const Item& x = r.in(0);
  const auto given = r.axes_argument(1, 13);
  const std::vector<size_t> axes = given ? r.axes(*given, x.rank()) : std::vector<size_t>{};
  Dims dims;
  for (size_t d = 0; d < x.rank(); ++d) {
    const bool named = std::find(axes.begin(), axes.end(), d) != axes.end();
    if (named && x.dims()[d] != 1) r.fault("dimension " + std::to_string(d) + " of " + text(x.dims()) + " is not 1");
    if (!named && (given || x.dims()[d] != 1)) dims.push_back(x.dims()[d]);
  }
  r.give(with_dims(x, dims));
}

void unsqueeze(Recorder& r) {
  const Item& x = r.in(0);
  const auto given = r.axes_argument(1, 13);
  if (!given) r.fault("the axes are missing");
  const size_t rank = x.rank() + given->size();
  const std::vector<size_t> axes = r.axes(*given, rank);
  Dims dims;
  for (size_t d = 0, from = 0; d < rank; ++d)
    dims.push_back(std::find(axes.begin(), axes.end(), d) != axes.end() ? 1 : x.dims()[from++]);
  r.give(with_dims(x, dims));
}

void slice(Recorder& r) {
  std::vector<int64_t> starts, ends, axes, steps;
  if (r.opset() < 10) {
    const std::vector<int64_t>*first = r.integers("starts"), *last = r.integers("ends"), *which = r.integers("axes");
    if (!first || !last) r.fault("starts or ends are missing");
    starts = *first, ends = *last;
    if (which) axes = *which;
  } else {
    starts = r.integers(r.in(1), "starts"), ends = r.integers(r.in(2), "ends");
    if (r.has(3)) axes = r.integers(r.in(3), "axes");
    if (r.has(4)) steps = r.integers(r.in(4), "steps");
  }
  if (axes.empty())
    for (size_t i = 0; i < starts.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  if (steps.empty()) steps.assign(starts.size(), 1);
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size())
    r.fault("starts, ends, axes and steps differ in length");

  Item x = r.in(0);
  const std::vector<size_t> dimensions = r.axes(axes, x.rank());
  for (size_t i = 0; i < dimensions.size(); ++i) {
    const int64_t size = x.dims()[dimensions[i]], step = steps[i];
    if (step == 0 || step == std::numeric_limits<int64_t>::min()) r.fault("the step is " + std::to_string(step));
    const auto from_end = [&](int64_t number) { return number < 0 ? number + size : number; };
    const int64_t first = step > 0 ? clamped(from_end(starts[i]), 0, size) : clamped(from_end(starts[i]), -1, size - 1);
    const int64_t last = step > 0 ? clamped(from_end(ends[i]), 0, size) : clamped(from_end(ends[i]), -1, size - 1);
    const int64_t distance = step > 0 ? last - first : first - last, stride = step > 0 ? step : -step;
    const int64_t count = distance <= 0 ? 0 : (distance - 1) / stride + 1;
    x = cut(r, x, dimensions[i], count == 0 ? 0 : first, count, count < 2 ? 1 : step);
  }
  r.give(x);
}

}  // namespace ipa::onnx
