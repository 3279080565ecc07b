#pragma once
// One function per operation: the nodes that say the same in ONNX.
#include <string>
#include <vector>

#include "core/tensor_index.h"
#include "to_onnx/graph.h"
#include "to_onnx/values.h"

namespace ipa::to_onnx {

// The plan's node that is being written.
struct Writing {
  Graph& graph;
  Values& values;
  const Plan& plan;
  const TensorSource& source;
  const std::string& path;
  Shape shape;  // of the result

  std::string weight(SlotId slot, const Dims& dims) const;  // under another shape of as many numbers
  std::string transposed(SlotId slot) const;                // W [M, K] as [K, M]
  std::string numbers(const Dims& dims, float value) const;
};

// Writes the op; a kind that it does not know is an error that names it.
Placed write(Writing& w, const Op& op);
Placed write_attend(Writing& w, const Attend& op);  // attend.cpp

// x * row[cell] * mask, all of them in `layout`
std::string scaled(Writing& w, std::string x, Layout layout, ValueId row, int cell, ValueId mask);

}  // namespace ipa::to_onnx
