// Operators along axes: Softmax, ReduceMean, ReduceL2.
#include <algorithm>

#include "onnx/recorder.h"

namespace ipa::onnx {

void softmax(Recorder& r) {
  const Item& x = r.in(0);
  if (x.rank() == 0 || r.elements(x.dims()) == 0) r.fault("input " + text(x.dims()));
  const size_t axis = r.axis(r.integer("axis", r.opset() < 13 ? 1 : -1), x.rank());
  if (r.opset() < 13) {  // everything from the axis on is one row
    const int64_t inner = product(Dims(x.dims().begin() + static_cast<std::ptrdiff_t>(axis), x.dims().end()));
    const Value rows = r.b.reshape(r.plain(x), {r.elements(x.dims()) / inner, 1, 1, inner});
    return r.give(r.item(r.named([&] { return r.b.softmax(rows); }), x.dims(), plain_order(x.rank())));
  }
  Order last = plain_order(x.rank());
  std::rotate(last.begin() + static_cast<std::ptrdiff_t>(axis), last.begin() + static_cast<std::ptrdiff_t>(axis) + 1,
              last.end());
  const Value rows = r.in_order(x, last);
  r.give(r.item(r.named([&] { return r.b.softmax(rows); }), x.dims(), last));
}

Item reduced(Recorder& r, ReduceKind kind, const Item& x, const std::vector<size_t>& axes, bool keep) {
  const auto gone = [&](size_t d) { return std::find(axes.begin(), axes.end(), d) != axes.end(); };
  // The reduced dimensions must lie side by side: as they are, or moved to the end.
  Order order = r.natural_order(x);
  size_t first = 0, last = order.size();
  while (first < order.size() && !gone(order[first])) ++first;
  while (last > first && !gone(order[last - 1])) --last;
  if (last - first != axes.size()) {
    order = plain_order(x.rank());
    std::stable_partition(order.begin(), order.end(), [&](size_t d) { return !gone(d); });
    first = order.size() - axes.size(), last = order.size();
  }
  const Dims lying = ordered(x.dims(), order);
  const auto span = [&](size_t from, size_t to) {
    return product(
        Dims(lying.begin() + static_cast<std::ptrdiff_t>(from), lying.begin() + static_cast<std::ptrdiff_t>(to)));
  };
  Dims kept = x.dims();
  for (size_t axis : axes) kept[axis] = 1;
  const Value input = r.in_order(x, order);
  const Value y = r.named([&] {
    return r.b.reduce(input, kind, span(0, first), span(first, last), span(last, lying.size()),
                      plan_shape(ordered(kept, order)));
  });
  Item result = r.item(y, kept, order);
  if (!keep) {
    Dims fewer;
    for (size_t d = 0; d < x.rank(); ++d)
      if (!gone(d)) fewer.push_back(x.dims()[d]);
    result.view = reshaped(result.view, fewer);
  }
  return result;
}

void reduce(Recorder& r) {
  const Item& x = r.in(0);
  const auto given = r.axes_argument(1, 18);
  std::vector<size_t> axes;
  if (given && !given->empty()) {
    axes = r.axes(*given, x.rank());
  } else if (r.integer("noop_with_empty_axes", 0) != 0) {
    return r.give(x);
  } else {
    axes = plain_order(x.rank());
  }
  r.give(reduced(r, r.node().op_type == "ReduceL2" ? ReduceKind::l2 : ReduceKind::mean, x, axes,
                 r.integer("keepdims", 1) != 0));
}

}  // namespace ipa::onnx
