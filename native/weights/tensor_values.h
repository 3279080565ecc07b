#pragma once
#include <string>
#include <vector>

#include "core/tensor_index.h"

namespace ipa {

// One tensor of a source as f32, row-major. TENSOR_MISSING; TENSOR_DTYPE for what is no number.
std::vector<float> tensor_values(const TensorSource& source, const std::string& name);

// No NaN and no Inf among `count` numbers of type f32, f16 or bf16, aligned to their size.
bool all_finite(DType type, const void* numbers, size_t count) noexcept;

// TENSOR_NONFINITE when the tensor holds a NaN or Inf.
void check_finite(const std::vector<float>& values, const std::string& name, const std::string& label);

}  // namespace ipa
