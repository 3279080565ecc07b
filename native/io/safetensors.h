#pragma once
// safetensors: u64 header length, JSON header, data. The tensors must tile the data section exactly.
#include <memory>
#include <string>

#include "core/tensor_index.h"
#include "io/file.h"

namespace ipa {

inline constexpr uint64_t kLongestSafetensorsHeader = uint64_t{32} << 20;  // bytes
inline constexpr size_t kMostTensors = 200'000;
inline constexpr size_t kLongestTensorName = 1'024;  // bytes
inline constexpr size_t kMostDimensions = 8;

TensorSource open_safetensors(std::shared_ptr<const File> file);
TensorSource open_safetensors(const std::string& path);

}  // namespace ipa
