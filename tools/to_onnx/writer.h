#pragma once
// A plan as an ONNX graph, and what it was run with: for comparisons with another program.
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/tensor_index.h"
#include "plan/plan.h"

namespace ipa::to_onnx {

// Numbers of inputs and outputs by their names in the plan, in the plan's order [N, H, W, C].
using Numbers = std::map<std::string, std::vector<float>>;

// Writes into `folder`: graph.onnx, weights.bin (the initialisers, f32, from `source`), values.bin (`inputs` and
// `outputs`, f32) and ports.json: { "inputs": [{ name, dims, offset }], "outputs": … }, the graph's own dims, offset in
// bytes of values.bin. Pictures enter and leave as [N, C, H, W], values of one row of tokens as [N, T, C].
void write_plan(const std::filesystem::path& folder, const Plan& plan, const TensorSource& source,
                const Numbers& inputs, const Numbers& outputs);

}  // namespace ipa::to_onnx
