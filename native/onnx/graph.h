#pragma once
// Records an ONNX graph (face detectors, recognisers, metric trunks) as a plan for one set of input sizes.
// Inputs and outputs are in ONNX's row-major order (NCHW); inside, feature maps are kept NHWC.
#include <map>
#include <string>
#include <vector>

#include "core/onnx_model.h"
#include "plan/builder.h"

namespace ipa {

// A weight that is in no file: made of initialisers when the graph was recorded (folded batch norms, reordered
// matrices).
struct ConstantTensor {
  Dims dims;
  std::vector<float> values;
};

struct OnnxBinding {
  std::string name;  // of the plan's input or output
  Dims dims;         // row-major
};

struct OnnxPlan {
  std::vector<OnnxBinding> inputs, outputs;  // in the order of the graph
  std::map<std::string, ConstantTensor> constants;
};

// `input_shapes`: by graph input; a size given here overrides the file's. Sizes the file leaves open must be given.
// Constants of recordings for different sizes are equal where their names are; few graphs have any that differ.
// The builder must be at its outermost scope. Throws MODEL_ONNX_INVALID naming operator, node, opset and file.
OnnxPlan record_onnx(Builder& b, const OnnxModel& model, const std::map<std::string, Dims>& input_shapes);

// The file's initialisers with the derived weights beside them: every weight that the plan wants.
TensorSource with_constants(TensorSource initialisers, std::map<std::string, ConstantTensor> constants);

}  // namespace ipa
