#include "onnx/view.h"

#include <algorithm>
#include <numeric>

namespace ipa::onnx {

View row_major(const Dims& dims) { return {dims, simplified({{product(dims), 1}}), 0}; }

View stored(const Dims& dims, const Order& order) {
  return *transposed(row_major(ordered(dims, order)), inverse(order));
}

Order plain_order(size_t rank) {
  Order order(rank);
  std::iota(order.begin(), order.end(), size_t{0});
  return order;
}

Order channels_last_order(size_t rank) {
  Order order = plain_order(rank);
  if (rank > 2) std::rotate(order.begin() + 1, order.begin() + 2, order.end());
  return order;
}

Dims ordered(const Dims& dims, const Order& order) {
  Dims result;
  for (size_t d : order) result.push_back(dims[d]);
  return result;
}

Order inverse(const Order& order) {
  Order result(order.size());
  for (size_t i = 0; i < order.size(); ++i) result[order[i]] = i;
  return result;
}

Axes simplified(const Axes& axes) {
  Axes result;
  for (const Axis& axis : axes) {
    if (axis.size == 1) continue;
    if (axis.size == 0) return {{0, 1}};
    if (!result.empty() && result.back().stride == axis.stride * axis.size) {
      result.back() = {result.back().size * axis.size, axis.stride};
    } else {
      result.push_back(axis);
    }
  }
  return result;
}

std::optional<std::vector<Axes>> per_dimension(const View& view) {
  std::vector<Axes> result(view.dims.size());
  if (product(view.dims) == 0) {
    for (size_t d = 0; d < view.dims.size(); ++d) result[d] = {{view.dims[d], 0}};
    return result;
  }
  Axes rest = simplified(view.axes);
  for (size_t d = view.dims.size(); d-- > 0;) {
    for (int64_t wanted = view.dims[d]; wanted > 1;) {
      Axis& last = rest.back();
      if (wanted % last.size == 0) {
        result[d].insert(result[d].begin(), last);
        wanted /= last.size;
        rest.pop_back();
      } else if (last.size % wanted == 0) {
        result[d].insert(result[d].begin(), {wanted, last.stride});
        last = {last.size / wanted, last.stride * wanted};
        wanted = 1;
      } else {
        return std::nullopt;
      }
    }
  }
  return result;
}

std::optional<Axes> walked(const View& view, const Order& order) {
  if (order == plain_order(order.size())) return simplified(view.axes);
  const auto groups = per_dimension(view);
  if (!groups) return std::nullopt;
  Axes axes;
  for (size_t d : order) axes.insert(axes.end(), (*groups)[d].begin(), (*groups)[d].end());
  return simplified(axes);
}

View reshaped(View view, const Dims& dims) {
  view.dims = dims;
  return view;
}

std::optional<View> transposed(const View& view, const Order& order) {
  const std::optional<Axes> axes = walked(view, order);
  if (!axes) return std::nullopt;
  return View{ordered(view.dims, order), *axes, view.offset};
}

namespace {

// Replaces every dimension's axes by at most one; nullopt when a dimension that matters has several.
std::optional<Axes> one_axis_each(const View& view) {
  const auto groups = per_dimension(view);
  if (!groups) return std::nullopt;
  Axes axes;
  for (const Axes& group : *groups) {
    if (group.size() > 1) return std::nullopt;
    axes.push_back(group.empty() ? Axis{1, 0} : group[0]);
  }
  return axes;
}

}  // namespace

std::optional<View> sliced(const View& view, size_t dimension, int64_t first, int64_t count, int64_t step) {
  auto groups = per_dimension(view);
  if (!groups || (*groups)[dimension].size() > 1) return std::nullopt;
  View result{view.dims, {}, view.offset};
  result.dims[dimension] = count;
  Axes& group = (*groups)[dimension];
  if (group.empty()) group.push_back({1, 0});
  result.offset += first * group[0].stride;
  group[0] = {count, group[0].stride * step};
  for (const Axes& axes : *groups) result.axes.insert(result.axes.end(), axes.begin(), axes.end());
  result.axes = simplified(result.axes);
  return result;
}

std::optional<View> broadcast(const View& view, const Dims& dims) {
  std::optional<Axes> axes = one_axis_each(view);
  if (!axes) return std::nullopt;
  axes->insert(axes->begin(), dims.size() - view.dims.size(), Axis{1, 0});
  for (size_t d = 0; d < dims.size(); ++d)
    if ((*axes)[d].size != dims[d]) (*axes)[d] = {dims[d], 0};
  return View{dims, *axes, view.offset};
}

bool is_whole(const Axes& axes, int64_t offset, int64_t size) {
  const Axes all = simplified(axes);
  if (offset != 0) return false;
  return all.empty() ? size == 1 : all.size() == 1 && all[0] == Axis{size, 1};
}

bool is_permutation(const View& view, int64_t size) {
  Axes axes = simplified(view.axes);
  std::sort(axes.begin(), axes.end(), [](const Axis& a, const Axis& b) { return a.stride > b.stride; });
  return is_whole(axes, view.offset, size);
}

}  // namespace ipa::onnx
