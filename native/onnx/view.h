#pragma once
// How the elements of an ONNX tensor lie in the memory of a value. Reshape, Transpose, Slice, Squeeze ... only change
// the view; bytes move when an operator needs them in an order that the view does not already have.
#include <optional>
#include <vector>

#include "core/shape.h"

namespace ipa::onnx {

struct Axis {
  int64_t size, stride;  // elements
  auto operator<=>(const Axis&) const = default;
};
using Axes = std::vector<Axis>;
using Order = std::vector<size_t>;  // dimension numbers, slowest first

// Element i of the tensor in ONNX's row-major order is element `offset + sum index_k * stride_k` of memory, where
// (index_k) are the digits of i in the axes' sizes. The axes refine the dimensions: after a Reshape several axes may
// make up one dimension, or one axis several of them.
struct View {
  Dims dims;  // as ONNX sees them
  Axes axes;
  int64_t offset = 0;
};

View row_major(const Dims& dims);
View stored(const Dims& dims, const Order& order);  // memory holds the dimensions in `order`

Order plain_order(size_t rank);          // 0, 1, 2, 3: as ONNX has them
Order channels_last_order(size_t rank);  // 0, 2, 3, 1: NCHW tensors as the plan keeps them
Dims ordered(const Dims& dims, const Order& order);
Order inverse(const Order& order);

// Without axes of size 1, neighbours joined where one stride continues the other.
Axes simplified(const Axes& axes);
// The axes of every dimension; nullopt when an axis crosses a border between dimensions.
std::optional<std::vector<Axes>> per_dimension(const View& view);
// The axes of the view when its dimensions are walked in `order`.
std::optional<Axes> walked(const View& view, const Order& order);

View reshaped(View view, const Dims& dims);  // same number of elements
std::optional<View> transposed(const View& view, const Order& order);
// `count` elements of one dimension from `first` on, `step` apart; nullopt when the dimension is not one axis.
std::optional<View> sliced(const View& view, size_t dimension, int64_t first, int64_t count, int64_t step);
std::optional<View> broadcast(const View& view, const Dims& dims);  // stretched with stride 0

bool is_whole(const Axes& axes, int64_t offset, int64_t size);  // memory order, every element once
bool is_permutation(const View& view, int64_t size);            // any order, every element once

// Calls f(memory index) for every element in walking order.
template <typename F>
void for_each_element(const Axes& axes, int64_t offset, F&& f) {
  for (const Axis& axis : axes)
    if (axis.size == 0) return;
  Dims index(axes.size());
  for (int64_t at = offset;;) {
    f(at);
    size_t k = axes.size();
    while (k > 0 && ++index[k - 1] == axes[k - 1].size) {
      at -= axes[k - 1].stride * (axes[k - 1].size - 1);
      index[--k] = 0;
    }
    if (k == 0) return;
    at += axes[k - 1].stride;
  }
}

}  // namespace ipa::onnx
