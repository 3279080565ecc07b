#pragma once
// The forms of a change ΔW of one weight in a file: which tensors of a module make it, and how it follows from them.
// The table is in lora_forms.cpp; a new form is a row there and its endings in names/peft.cpp.
//
//   tensors of a module ─read_module─▶ LoraDelta (names, checked shapes) ─add_delta─▶ W + strength · scale · ΔW
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/tensor_index.h"
#include "weights/names/lora_keys.h"

namespace ipa {

using LoraFactors = std::map<LoraFactor, std::string>;  // of one module -> name in the file

struct LoraForm;

// One change of one weight. Numbers stay in the file.
struct LoraDelta {
  const LoraForm* form = nullptr;
  LoraFactors tensors;            // those of the form; with dora_scale or magnitude the sum is rescaled (DoRA)
  int64_t rows = 0, columns = 0;  // of ΔW, flattened as the weight is: [outputs, inputs · window]
  int64_t rank = 0;               // 0 where the form has none
  float scale = 1;                // alpha / rank
  bool per_input = false;         // DoRA: norms over the inputs' channels, not over the outputs
};

// What the tensors of a module make: a change of its weight, of its bias, or of both.
struct LoraModule {
  std::optional<LoraDelta> weight, bias;
};

// Checks the tensors of each change against each other; scales are left at 1. TENSOR_MISSING for a partner that is not
// there, TENSOR_SHAPE for shapes that cannot be multiplied, MODEL_FORMAT_UNSUPPORTED for tensors of two forms at once.
LoraModule read_module(const TensorSource& source, const std::string& module, const LoraFactors& factors);

// Whether a change of a bias has the scale of its layer. Differences are stored as they are.
bool scaled(const LoraDelta& delta);
// Whether ΔW has the shape of a weight with these dimensions.
bool fits(const LoraDelta& delta, const Dims& weight);
// Of a delta that fits: which norms a DoRA vector is of. TENSOR_SHAPE when it is of neither.
void bind_magnitude(LoraDelta& delta, const TensorSource& source, const Dims& weight);

// values, the weight so far, row-major, += strength · scale · ΔW; with DoRA it moves from W towards W' by `strength`.
void add_delta(std::vector<float>& values, const TensorSource& source, const LoraDelta& delta, float strength);

// TENSOR_SHAPE of a tensor of a LoRA.
[[noreturn]] void misshapen(const TensorSource& source, const std::string& tensor, const std::string& expected);

}  // namespace ipa
