#pragma once
// An ONNX graph as plain structs: io/onnx.h reads it from a file, onnx/graph.h records it as a plan.
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor_index.h"

namespace ipa {

// Bytes are row-major, little-endian and need not be aligned; the model that holds the tensor keeps them.
struct OnnxTensor {
  TensorInfo info;
  std::span<const std::byte> bytes;
};

struct OnnxAttribute {
  enum class Kind { real, integer, text, tensor, reals, integers, texts };
  std::string name;
  Kind kind = Kind::integer;
  float real = 0;
  int64_t integer = 0;
  std::string text;
  OnnxTensor tensor;
  std::vector<float> reals;
  std::vector<int64_t> integers;
  std::vector<std::string> texts;
};

struct OnnxNode {
  std::string op_type, domain, name;
  std::vector<std::string> inputs, outputs;  // an empty name is an optional value left out
  std::vector<OnnxAttribute> attributes;

  const OnnxAttribute* find(std::string_view attribute) const {
    for (const OnnxAttribute& a : attributes)
      if (a.name == attribute) return &a;
    return nullptr;
  }
};

// A graph input or output. dims holds -1 where the size is open; symbols then has its name or "".
struct OnnxValue {
  std::string name;
  DType dtype = DType::f32;
  bool has_shape = false;
  Dims dims;
  std::vector<std::string> symbols;
};

struct OnnxModel {
  std::string label;  // file name shown in messages
  int64_t opset = 0;
  std::vector<OnnxNode> nodes;             // each reads only what stands before it
  std::vector<OnnxValue> inputs, outputs;  // inputs without the initialisers
  std::map<std::string, OnnxTensor, std::less<>> initialisers;

  std::vector<std::shared_ptr<const std::vector<std::byte>>> storage;  // what the tensors' bytes point into
};

}  // namespace ipa
