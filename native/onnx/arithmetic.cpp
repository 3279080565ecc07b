// Add, Sub, Mul, Div, Pow and PRelu with broadcasting, on values and on known numbers.
#include <algorithm>
#include <cmath>
#include <limits>

#include "onnx/recorder.h"

namespace ipa::onnx {

namespace {

Dims broadcast_dims(Recorder& r, const Dims& a, const Dims& b) {
  Dims dims = a.size() > b.size() ? a : b;
  const Dims& fewer = a.size() > b.size() ? b : a;
  for (size_t i = 0; i < fewer.size(); ++i) {
    int64_t& into = dims[dims.size() - fewer.size() + i];
    if (into != fewer[i] && into != 1 && fewer[i] != 1) r.fault(text(a) + " and " + text(b) + " do not fit");
    if (into == 1) into = fewer[i];
  }
  r.elements(dims);
  return dims;
}

int64_t of_integers(Recorder& r, BinaryKind kind, int64_t a, int64_t b) {
  int64_t result = 0;
  bool overflow = false;
  switch (kind) {
    case BinaryKind::add:
      overflow = __builtin_add_overflow(a, b, &result);
      break;
    case BinaryKind::sub:
      overflow = __builtin_sub_overflow(a, b, &result);
      break;
    case BinaryKind::mul:
      overflow = __builtin_mul_overflow(a, b, &result);
      break;
    case BinaryKind::div:
      if (b == 0) r.fault("an integer is divided by zero");
      overflow = b == -1 && a == std::numeric_limits<int64_t>::min();
      if (!overflow) result = a / b;
      break;
    case BinaryKind::pow:
      if (b < 0 || b > 64) r.fault("an integer to the power " + std::to_string(b));
      result = 1;
      for (int64_t i = 0; i < b; ++i) overflow |= __builtin_mul_overflow(result, a, &result);
      break;
    default:
      r.fault("the operator does not take integers");
  }
  if (overflow) r.fault("an integer overflows");
  return result;
}

float of_reals(BinaryKind kind, float a, float b) {
  switch (kind) {
    case BinaryKind::add:
      return a + b;
    case BinaryKind::sub:
      return a - b;
    case BinaryKind::mul:
      return a * b;
    case BinaryKind::div:
      return a / b;
    case BinaryKind::pow:
      return std::pow(a, b);
    case BinaryKind::prelu:
      return a < 0 ? a * b : a;
    case BinaryKind::min:
      return std::min(a, b);
    case BinaryKind::max:
      return std::max(a, b);
  }
  return 0;
}

Item stretched(Recorder& r, Item item, const Dims& dims) {
  item = r.separable(item);
  item.view = *broadcast(item.view, dims);
  return item;
}

Item of_known(Recorder& r, BinaryKind kind, const Item& a, const Item& b, const Dims& dims) {
  if (a.whole_numbers() != b.whole_numbers()) r.fault("integers and real numbers are mixed");
  const Item wide_a = stretched(r, a, dims), wide_b = stretched(r, b, dims);
  if (a.whole_numbers()) {
    std::vector<int64_t> x = r.integers(wide_a, "an operand"), y = r.integers(wide_b, "an operand");
    for (size_t i = 0; i < x.size(); ++i) x[i] = of_integers(r, kind, x[i], y[i]);
    return known_integers(dims, std::move(x));
  }
  std::vector<float> x = r.reals(wide_a, "an operand"), y = r.reals(wide_b, "an operand");
  for (size_t i = 0; i < x.size(); ++i) x[i] = of_reals(kind, x[i], y[i]);
  return known_reals(dims, std::move(x));
}

// The operand as a value whose first element is element 0 and whose every dimension of the result is one axis.
Item operand(Recorder& r, const Item& from, const Dims& dims) {
  Item item = r.as_value(from);
  if (item.view.offset != 0) item = r.settled(item);
  return stretched(r, item, dims);
}

}  // namespace

Item binary_of(Recorder& r, BinaryKind kind, const Item& a, const Item& b) {
  const Dims dims = broadcast_dims(r, a.dims(), b.dims());
  if (a.known() && b.known()) return of_known(r, kind, a, b, dims);
  if (r.elements(dims) == 0) r.fault("an operand is empty");
  Order order = plain_order(dims.size());
  for (const Item* x : {&a, &b})
    if (x->rank() == dims.size() && r.natural_order(*x) != order) {
      order = r.natural_order(*x);
      break;
    }
  const Shape shape = plan_shape(ordered(dims, order));
  if (kind == BinaryKind::add && a.dims() == b.dims()) {
    const Value x = r.in_order(a, order), y = r.in_order(b, order);
    return r.item(r.named([&] { return r.b.add(x, y); }), dims, order);
  }
  const Item x = operand(r, a, dims), y = operand(r, b, dims);
  const auto axes_x = per_dimension(x.view), axes_y = per_dimension(y.view);
  Dims sizes, strides_x, strides_y;
  for (size_t d : order) {
    if (dims[d] == 1) continue;
    const int64_t stride_x = (*axes_x)[d].at(0).stride, stride_y = (*axes_y)[d].at(0).stride;
    if (!sizes.empty() && strides_x.back() == stride_x * dims[d] && strides_y.back() == stride_y * dims[d]) {
      sizes.back() *= dims[d], strides_x.back() = stride_x, strides_y.back() = stride_y;
    } else {
      sizes.push_back(dims[d]), strides_x.push_back(stride_x), strides_y.push_back(stride_y);
    }
  }
  const Value value = r.named([&] { return r.b.binary(kind, x.value, y.value, sizes, strides_x, strides_y, shape); });
  return r.item(value, dims, order);
}

void binary(Recorder& r) {
  struct Arithmetic {
    const char* op;
    BinaryKind kind;
  };
  static constexpr Arithmetic kArithmetic[] = {{"Add", BinaryKind::add}, {"Sub", BinaryKind::sub},
                                               {"Mul", BinaryKind::mul}, {"Div", BinaryKind::div},
                                               {"Pow", BinaryKind::pow}, {"PRelu", BinaryKind::prelu}};
  for (const Arithmetic& known : kArithmetic) {
    if (r.node().op_type != known.op) continue;
    const Item& a = r.in(0);
    Item b = r.in(1);
    if (known.kind == BinaryKind::prelu && b.rank() == 1 && a.rank() > 2 && b.dims()[0] == a.dims()[1] &&
        b.dims()[0] != a.dims().back() && b.dims()[0] != 1) {
      Dims per_channel(a.rank() - 1, 1);  // older exports give [C] and mean [C, 1, 1]
      per_channel[0] = b.dims()[0];
      b.view = reshaped(b.view, per_channel);
    }
    Item y = binary_of(r, known.kind, a, b);
    if (known.kind == BinaryKind::prelu && y.dims() != a.dims())
      r.fault("slope " + text(b.dims()) + " does not fit input " + text(a.dims()));
    return r.give(std::move(y));
  }
}

}  // namespace ipa::onnx
