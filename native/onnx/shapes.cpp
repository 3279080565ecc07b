// Operators that make numbers known while recording: the arithmetic on sizes that exporters leave in a graph.
#include <cmath>

#include "onnx/recorder.h"

namespace ipa::onnx {

namespace {

// TensorProto.DataType
constexpr int64_t kFloat = 1, kUint8 = 2, kInt8 = 3, kInt32 = 6, kInt64 = 7, kBool = 9, kFloat16 = 10, kDouble = 11;

Item of_tensor(Recorder& r, const OnnxTensor& tensor) {
  const size_t bytes = static_cast<size_t>(r.elements(tensor.info.dims)) * dtype_size(tensor.info.dtype);
  if (dtype_size(tensor.info.dtype) == 0 || tensor.info.dtype == DType::c64 || bytes != tensor.bytes.size())
    r.fault("the value holds strings, an unknown type or " + std::to_string(tensor.bytes.size()) +
            " bytes instead of " + std::to_string(bytes));
  Item item(row_major(tensor.info.dims));
  item.tensor = &tensor;
  return item;
}

}  // namespace

void shape(Recorder& r) {
  const Dims& dims = r.in(0).dims();
  const int64_t rank = static_cast<int64_t>(dims.size());
  const auto place = [&](const char* name, int64_t otherwise) {
    const int64_t number = r.integer(name, otherwise);
    return std::min(std::max<int64_t>(number < 0 ? number + rank : number, 0), rank);
  };
  const int64_t first = place("start", 0), last = std::max(first, place("end", rank));
  const Dims part(dims.begin() + first, dims.begin() + last);
  r.give(known_integers({static_cast<int64_t>(part.size())}, part));
}

void constant(Recorder& r) {
  using Kind = OnnxAttribute::Kind;
  if (const OnnxAttribute* value = r.attribute("value", Kind::tensor)) return r.give(of_tensor(r, value->tensor));
  if (const OnnxAttribute* value = r.attribute("value_float", Kind::real))
    return r.give(known_reals({}, {value->real}));
  if (const OnnxAttribute* value = r.attribute("value_int", Kind::integer))
    return r.give(known_integers({}, {value->integer}));
  if (const OnnxAttribute* value = r.attribute("value_floats", Kind::reals))
    return r.give(known_reals({static_cast<int64_t>(value->reals.size())}, value->reals));
  if (const OnnxAttribute* value = r.attribute("value_ints", Kind::integers))
    return r.give(known_integers({static_cast<int64_t>(value->integers.size())}, value->integers));
  r.fault("no value of real numbers or integers");
}

void constant_of_shape(Recorder& r) {
  const Dims dims = r.integers(r.in(0), "the shape");
  r.elements(dims);
  Item item = known_reals({1}, {0});
  if (const OnnxAttribute* value = r.attribute("value", OnnxAttribute::Kind::tensor))
    item = of_tensor(r, value->tensor);
  if (r.elements(item.dims()) != 1) r.fault("the value has the shape " + text(item.dims()) + ", expected one number");
  item.view = reshaped(item.view, {});
  item.view = *broadcast(item.view, dims);
  r.give(item);
}

void cast(Recorder& r) {
  const Item& x = r.in(0);
  const int64_t to = r.integer("to", 0);
  const bool real = to == kFloat || to == kFloat16 || to == kDouble;
  if (!real && to != kInt64 && to != kInt32 && to != kBool && to != kInt8 && to != kUint8)
    r.fault("a cast to type " + std::to_string(to) + " of the ONNX standard");
  if (!x.known()) {
    if (!real) r.fault("numbers that depend on the input cannot become integers");
    return r.give(x);
  }
  if (x.whole_numbers() != real && to != kBool) return r.give(x);
  if (real) {
    const std::vector<int64_t> numbers = r.integers(x, "the input");
    return r.give(known_reals(x.dims(), std::vector<float>(numbers.begin(), numbers.end())));
  }
  std::vector<int64_t> numbers;
  if (x.whole_numbers()) {
    for (int64_t number : r.integers(x, "the input")) numbers.push_back(number != 0);
  } else {
    for (float number : r.reals(x, "the input")) {
      if (!(std::abs(number) < 9e18f)) r.fault("a number is too large for an integer");
      numbers.push_back(to == kBool ? number != 0 : static_cast<int64_t>(number));
    }
  }
  r.give(known_integers(x.dims(), std::move(numbers)));
}

}  // namespace ipa::onnx
