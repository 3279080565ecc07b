#pragma once
// ONNX files: the graph as the plain structs of core/onnx_model.h. Nothing is computed here; which operators exist is
// the business of the runner. Control flow, functions, other domains, sparse or string tensors and external data are
// refused.
#include <string>

#include "core/onnx_model.h"
#include "io/file.h"

namespace ipa {

OnnxModel open_onnx(const File& file);
OnnxModel open_onnx(const std::string& path);

// The initialisers as weights, for those who only want these.
TensorSource onnx_weights(OnnxModel model);

}  // namespace ipa
