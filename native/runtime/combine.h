#pragma once
// Several tensors of one shape as one, before or after a projector: element by element, sums in f64.
#include <optional>
#include <string_view>
#include <vector>

#include "runtime/network.h"

namespace ipa {

// With y_i = w_i x_i. source: ComfyUI's IPAdapter nodes, whose norm is taken over the tensors, element by element
enum class Combine : uint8_t {
  average,       // sum of y_i / sum of w_i
  norm_average,  // mean of y_i / sqrt(sum of y_j^2)
  add,           // sum of y_i
  subtract,      // y_1 - mean of the others
  maximum,
  minimum,
};
std::optional<Combine> combine_of(std::string_view name);  // "norm average"

// `renormalise`: every row of the result is brought to length 1.
Tensor combine(Combine how, const std::vector<Tensor>& tensors, const std::vector<float>& weights, bool renormalise);

}  // namespace ipa
