#pragma once
// What a weight file holds, by name, and how to read one tensor of it. Every container (safetensors, pickle, shards,
// ONNX initialisers, generated weights) becomes a TensorSource; models and the weight store see nothing else.
#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/dtype.h"
#include "core/shape.h"

namespace ipa {

struct TensorInfo {
  DType dtype = DType::f32;
  Dims dims;  // row-major
};

// Sorted by name, so that listings and error messages are stable.
using TensorIndex = std::map<std::string, TensorInfo, std::less<>>;

struct TensorSource {
  std::string label;  // file name shown in messages
  TensorIndex index;
  std::map<std::string, std::string> metadata;  // safetensors __metadata__
  // "state_dict." when a training checkpoint wraps its weights so; every name of the index begins with it.
  std::string nesting;
  std::vector<std::pair<std::string, std::string>> warnings;  // code, sentence
  // Fills `out` (exactly dtype size x product(dims) bytes) with the contiguous row-major tensor. Throws Error.
  std::function<void(const std::string& name, std::span<std::byte> out)> read;
};

}  // namespace ipa
