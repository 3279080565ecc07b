#pragma once
// What a weight file holds, by name, and how to read a tensor or a part of it. Every container (safetensors, pickle,
// shards, ONNX initialisers, generated weights) becomes a TensorSource; models and the weight store see nothing else.
#include <cstddef>
#include <cstdint>
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
  Dims dims;               // row-major
  bool scattered = false;  // turned or with gaps in the file: reading a part takes as long as reading the whole
};

// Sorted by name, so that listings and error messages are stable.
using TensorIndex = std::map<std::string, TensorInfo, std::less<>>;

struct TensorSource {
  std::string label;  // file name shown in messages
  TensorIndex index;
  std::map<std::string, std::string> metadata;  // safetensors __metadata__, texts at the top of a pickle
  // "state_dict." when a training checkpoint wraps its weights so; every name of the index begins with it.
  std::string nesting;
  std::vector<std::pair<std::string, std::string>> warnings;  // code, sentence
  // Fills `out` with whole elements of the contiguous row-major tensor from its byte `first` on; all of it is 0 and
  // dtype size x product(dims) bytes. Throws Error. Any thread may call it.
  std::function<void(const std::string& name, uint64_t first, std::span<std::byte> out)> read;
};

}  // namespace ipa
