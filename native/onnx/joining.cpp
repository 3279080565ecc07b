// Operators that take tensors apart and put them together: Split, Concat, Gather, Pad. Split and a Gather of evenly
// spaced places only change the view, the others copy.
#include <algorithm>

#include "onnx/recorder.h"

namespace ipa::onnx {

namespace {

constexpr size_t kMostPieces = 4096;  // of one Gather

// Known numbers joined along `axis`; `numbers` gives those of one piece in row-major order.
template <typename T, typename F>
std::vector<T> joined(const std::vector<Item>& pieces, size_t axis, F&& numbers) {
  std::vector<std::vector<T>> parts;
  for (const Item& piece : pieces) parts.push_back(numbers(piece));
  const Dims& first = pieces[0].dims();
  const int64_t outer = product(Dims(first.begin(), first.begin() + static_cast<std::ptrdiff_t>(axis)));
  std::vector<T> result;
  for (int64_t i = 0; i < outer; ++i)
    for (const std::vector<T>& part : parts) {
      const std::ptrdiff_t run = static_cast<std::ptrdiff_t>(part.size()) / outer;
      result.insert(result.end(), part.begin() + i * run, part.begin() + (i + 1) * run);
    }
  return result;
}

Item joined(Recorder& r, const std::vector<Item>& pieces, size_t axis) {
  Dims dims = pieces[0].dims();
  int64_t length = 0;
  bool known = true, whole = true;
  for (const Item& piece : pieces) {
    Dims other = piece.dims();
    if (other.size() != dims.size()) r.fault(text(dims) + " and " + text(other) + " cannot be joined");
    length += other[axis];
    other[axis] = dims[axis];
    if (other != dims)
      r.fault(text(dims) + " and " + text(piece.dims()) + " cannot be joined along axis " + std::to_string(axis));
    known &= piece.known();
    whole &= piece.known() && piece.whole_numbers();
  }
  dims[axis] = length;
  const int64_t count = r.elements(dims);
  if (known && count == 0) return whole ? known_integers(dims, {}) : known_reals(dims, {});
  if (whole)
    return known_integers(dims,
                          joined<int64_t>(pieces, axis, [&](const Item& x) { return r.integers(x, "an input"); }));
  if (known)
    return known_reals(dims, joined<float>(pieces, axis, [&](const Item& x) { return r.reals(x, "an input"); }));

  Order order = plain_order(dims.size());
  for (const Item& piece : pieces)
    if (r.natural_order(piece) != order) {
      order = r.natural_order(piece);
      break;
    }
  // In memory a piece is [outer, its part of the axis and what lies inside]: joined as channels.
  const size_t place = inverse(order)[axis];
  std::vector<Value> values;
  for (const Item& piece : pieces) {
    const Dims lying = ordered(piece.dims(), order);
    const int64_t outer = product(Dims(lying.begin(), lying.begin() + static_cast<std::ptrdiff_t>(place)));
    Value value = r.in_order(piece, order);
    if (place + 1 < lying.size() || lying.size() < 2)
      value = r.b.reshape(value, {outer, 1, 1, value.shape.size() / outer});
    values.push_back(value);
  }
  const Value y = r.named([&] { return r.b.concat(values); });
  return r.item(r.b.reshape(y, plan_shape(ordered(dims, order))), dims, order);
}

}  // namespace

void split(Recorder& r) {
  const Item& x = r.in(0);
  const size_t axis = r.axis(r.integer("axis", 0), x.rank()), pieces = r.node().outputs.size();
  const int64_t size = x.dims()[axis], count = static_cast<int64_t>(pieces);
  std::vector<int64_t> lengths;
  if (r.opset() < 13) {
    if (const std::vector<int64_t>* given = r.integers("split")) lengths = *given;
  } else if (r.has(1)) {
    lengths = r.integers(r.in(1), "split");
  }
  if (lengths.empty()) {
    if (r.opset() < 18 && size % count != 0)
      r.fault(text(x.dims()) + " cannot be split into " + std::to_string(count) + " equal parts");
    const int64_t each = (size + count - 1) / count;  // from opset 18 on the last part may be smaller
    for (int64_t i = 0; i < count; ++i) lengths.push_back(std::min(each, size - i * each));
  }
  int64_t sum = 0;
  for (int64_t length : lengths) {
    if (length < 0 || length > size - sum) r.fault("parts " + text(lengths) + " of " + text(x.dims()));
    sum += length;
  }
  if (sum != size || lengths.size() != pieces) r.fault("parts " + text(lengths) + " of " + text(x.dims()));
  int64_t first = 0;
  for (size_t i = 0; i < pieces; ++i) {
    r.give(cut(r, x, axis, first, lengths[i], 1), i);
    first += lengths[i];
  }
}

void concat(Recorder& r) {
  const size_t count = r.node().inputs.size();
  std::vector<Item> pieces;
  for (size_t i = 0; i < count; ++i) pieces.push_back(r.in(i));
  if (!r.node().find("axis")) r.fault("attribute axis is missing");
  const size_t axis = r.axis(r.integer("axis", 0), pieces[0].rank());
  r.give(joined(r, pieces, axis));
}

void gather(Recorder& r) {
  const Item& x = r.in(0);
  const size_t axis = r.axis(r.integer("axis", 0), x.rank());
  std::vector<int64_t> places = r.integers(r.in(1), "the indices");
  const int64_t size = x.dims()[axis];
  for (int64_t& place : places) {
    if (place < -size || place >= size)
      r.fault("index " + std::to_string(place) + " of dimension " + std::to_string(axis) + " of " + text(x.dims()));
    if (place < 0) place += size;
  }
  // The indexed dimension becomes the dimensions of the indices.
  Dims dims = x.dims();
  const auto at = dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
  dims.insert(at, r.in(1).dims().begin(), r.in(1).dims().end());
  r.elements(dims);
  const int64_t count = static_cast<int64_t>(places.size());
  const int64_t step = count > 1 ? places[1] - places[0] : 1;
  bool regular = step != 0;
  for (int64_t i = 1; i < count; ++i)
    regular &= places[static_cast<size_t>(i)] - places[static_cast<size_t>(i - 1)] == step;
  if (regular) return r.give(with_dims(cut(r, x, axis, count == 0 ? 0 : places[0], count, step), dims));
  if (places.size() > kMostPieces) r.fault(std::to_string(count) + " indices without order");
  std::vector<Item> pieces;
  for (int64_t place : places) pieces.push_back(cut(r, x, axis, place, 1, 1));
  r.give(with_dims(joined(r, pieces, axis), dims));
}

void pad(Recorder& r) {
  const Item& x = r.in(0);
  const std::string mode = r.text("mode", "constant");
  if (mode != "constant") r.fault("mode is " + quoted(mode) + ", expected constant");
  float value = 0;
  std::vector<int64_t> pads;
  std::vector<size_t> axes = plain_order(x.rank());
  if (r.opset() < 11) {
    if (const std::vector<int64_t>* given = r.integers("pads")) pads = *given;
    value = r.real("value", 0);
  } else {
    pads = r.integers(r.in(1), "pads");
    if (r.has(2)) {
      const std::vector<float> given = r.reals(r.in(2), "the value");
      if (given.size() != 1) r.fault("the value has " + std::to_string(given.size()) + " numbers, expected one");
      value = given[0];
    }
    if (r.has(3)) axes = r.axes(r.integers(r.in(3), "axes"), x.rank());
  }
  if (pads.size() != 2 * axes.size()) r.fault("pads " + text(pads) + " for input " + text(x.dims()));
  Dims before(x.rank()), after(x.rank()), dims = x.dims();
  for (size_t i = 0; i < axes.size(); ++i) {
    before[axes[i]] = pads[i], after[axes[i]] = pads[axes.size() + i];
    for (int64_t number : {pads[i], pads[axes.size() + i]}) {
      if (number < 0 || number > kLargestNumber) r.fault("pads are " + text(pads) + ", expected numbers from 0 on");
      dims[axes[i]] += number;
    }
  }
  if (dims == x.dims()) return r.give(x);
  r.elements(dims);
  const Order order = r.natural_order(x);
  const Value input = r.in_order(x, order);
  const Value y = r.named([&] {
    return r.b.pad(input, ordered(x.dims(), order), ordered(before, order), ordered(after, order), value,
                   plan_shape(ordered(dims, order)));
  });
  r.give(r.item(y, dims, order));
}

}  // namespace ipa::onnx
