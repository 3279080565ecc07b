#pragma once
// The pieces of a graph: element types, tensors, nodes. Used by the onnx_*.cpp files only.
#include "io/onnx.h"
#include "io/protobuf.h"

namespace ipa {

// DType::unknown for strings, complex128 and whatever else this library does not read.
DType onnx_dtype(int64_t elem_type) noexcept;

// Appends to model.storage when the tensor's numbers are not raw bytes. `name` receives the tensor's own name.
OnnxTensor read_onnx_tensor(ProtoReader proto, OnnxModel& model, std::string& name);

// A node with its attributes; nodes of other domains and attributes that hold graphs are refused.
OnnxNode read_onnx_node(ProtoReader proto, OnnxModel& model);

}  // namespace ipa
