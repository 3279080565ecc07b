#pragma once
// Numbers for a plan that follow from names: weights, inputs; and how large a result is.
#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "run_plan.h"
#include "weights/synthetic.h"

namespace ipa::test {

inline Tensors weights_of(const Plan& plan, const TensorSource& source) {
  Tensors weights;
  for (const WeightWant& want : plan.weights) {
    std::vector<float>& to = weights[want.path];
    to.resize(static_cast<size_t>(product(want.dims)));
    source.read(want.path, 0, std::as_writable_bytes(std::span<float>(to)));
  }
  return weights;
}

inline Tensors signals(const Plan& plan) {
  Tensors inputs;
  for (const auto& [name, id] : plan.inputs)
    inputs[name] = synthetic_signal(name, static_cast<size_t>(plan.values[static_cast<size_t>(id)].shape.size()));
  return inputs;
}

// At least 1.
inline float largest(const std::vector<float>& values) {
  float most = 1;
  for (const float v : values) most = std::max(most, std::abs(v));
  return most;
}

}  // namespace ipa::test
