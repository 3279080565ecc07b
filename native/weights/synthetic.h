#pragma once
// Weights that follow from their names: the rule of test/golden/README.md. A model of any size can be run, checked and
// measured without a file.
#include <string>
#include <utility>
#include <vector>

#include "core/tensor_index.h"

namespace ipa {

// Tensors of `index` (all read as f32) with the values of the text "prefix/name". `factors`: the end of a name and what
// its rule's value is multiplied by, in f32; the first that fits counts.
TensorSource synthetic(std::string prefix, TensorIndex index, std::vector<std::pair<std::string, float>> factors = {});

// The same tensors rounded to f16, as checkpoints have them; of f32.
TensorSource halved(TensorSource source);

// The test signal `name`: four uniform sequences summed, variance 1, times `scale`.
std::vector<float> synthetic_signal(const std::string& name, size_t count, double scale = 1.0);

}  // namespace ipa
