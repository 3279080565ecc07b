#pragma once
// What a weight file is, from its header alone.
#include <optional>
#include <string>

#include "core/tensor_index.h"
#include "models/adapters.h"

namespace ipa {

struct Inspection {
  std::string format;  // "safetensors", "PyTorch checkpoint" ...
  std::string kind;    // "ip-adapter", "unet", "sd15 checkpoint" ...
  uint64_t bytes = 0;  // of the file
  TensorSource source;
  std::optional<AdapterInfo> adapter;
};

Inspection inspect(const std::string& path);

}  // namespace ipa
