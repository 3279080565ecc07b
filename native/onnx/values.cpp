// The parts of Recorder that turn tensors of the graph into values and weights of the plan.
#include <algorithm>

#include "core/error.h"
#include "onnx/recorder.h"

namespace ipa::onnx {

Value Recorder::in_order(const Item& from, const Order& order) {
  const std::optional<Axes> axes = walked(from.view, order);
  if (!axes) return in_order(separable(from), order);
  const Dims dims = ordered(from.dims(), order);
  if (elements(dims) == 0)
    fault("an empty tensor of shape " + ipa::text(from.dims()) + " takes part in the computation");
  const Shape shape = plan_shape(dims);

  if (from.known()) {
    if (from.whole_numbers()) fault("integers take part in the computation on real numbers");
    Item reordered = from;
    reordered.view = {dims, *axes, from.view.offset};
    if (from.tensor && is_whole(*axes, from.view.offset, product(from.tensor->info.dims)))
      reordered.view.dims = from.tensor->info.dims;  // the file's own tensor will do
    return b.reshape(b.parameter(vector(reordered, "numbers"), reordered.dims(), {1, 1, 1, shape.size()}), shape);
  }

  if (is_whole(*axes, from.view.offset, from.value.shape.size())) return b.reshape(from.value, shape);
  const auto [found, missing] = copies_.try_emplace({from.value.id, *axes, from.view.offset});
  if (missing) {
    Dims sizes, strides;
    for (const Axis& axis : *axes) sizes.push_back(axis.size), strides.push_back(axis.stride);
    found->second = named([&] { return b.rearrange(from.value, sizes, strides, from.view.offset, shape); });
  }
  return b.reshape(found->second, shape);
}

Order Recorder::natural_order(const Item& of) const {
  if (of.rank() > 2 && !of.known() && of.dims()[1] > 1) {
    const auto groups = per_dimension(of.view);
    if (groups && (*groups)[1].size() == 1 && (*groups)[1][0].stride == 1) return channels_last_order(of.rank());
  }
  return plain_order(of.rank());
}

Item Recorder::settled(const Item& from) {
  if (!from.known() && is_permutation(from.view, from.value.shape.size())) return from;
  const Order order = natural_order(from);
  return item(in_order(from, order), from.dims(), order);
}

Item Recorder::as_value(const Item& from) {
  return from.known() ? item(plain(from), from.dims(), plain_order(from.rank())) : from;
}

Item Recorder::separable(const Item& from) {
  const auto groups = per_dimension(from.view);
  if (groups && std::all_of(groups->begin(), groups->end(), [](const Axes& axes) { return axes.size() < 2; }))
    return from;
  if (!from.known()) return item(plain(from), from.dims(), plain_order(from.rank()));
  return from.whole_numbers() ? known_integers(from.dims(), integers(from, "numbers"))
                              : known_reals(from.dims(), reals(from, "numbers"));
}

std::string Recorder::derive(const std::string& what, const Dims& dims, std::vector<float> values) {
  std::string name = label() + "." + what;
  // trap: recordings of one graph for several sizes may share a weight store, so what differs with the sizes is named
  // after them.
  if (node_reads_sizes_)
    for (const OnnxBinding& input : plan_.inputs) name += "@" + ipa::text(input.dims);
  while (plan_.constants.contains(name) || model.initialisers.contains(name)) name += "'";
  plan_.constants[name] = {dims, std::move(values)};
  return name;
}

std::string Recorder::weight(const Item& from, const char* what, bool vector) {
  // trap: one initialiser may serve two operators, but a weight of the plan has one layout.
  const bool untouched = from.known() && from.tensor && !from.initialiser.empty() && !from.whole_numbers() &&
                         is_whole(from.view.axes, from.view.offset, product(from.tensor->info.dims)) &&
                         from.dims() == from.tensor->info.dims;
  if (untouched && weight_is_vector_.try_emplace(from.initialiser, vector).first->second == vector)
    return from.initialiser;
  return derive(what, from.dims(), reals(from, what));
}

std::string Recorder::matrix(const Item& from, const char* what) { return weight(from, what, false); }
std::string Recorder::vector(const Item& from, const char* what) { return weight(from, what, true); }

}  // namespace ipa::onnx
