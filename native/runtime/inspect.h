#pragma once
// What a weight file is, from its header alone.
#include <optional>
#include <string>

#include "core/tensor_index.h"
#include "models/adapters.h"
#include "models/configs.h"

namespace ipa {

struct Inspection {
  std::string format;  // "safetensors", "PyTorch checkpoint" ...
  std::string kind;    // "ip-adapter", "unet", "sd15 checkpoint" ...
  uint64_t bytes = 0;  // of the file
  TensorSource source;
  std::optional<AdapterInfo> adapter;
};

// With `unet` an adapter must fit it (ADAPTER_BASE_MISMATCH), and a file of no kind we know is told what it lacks as
// one.
Inspection inspect(const std::string& path, const UNetConfig* unet = nullptr);

// A UNet by its header, in the names of diffusers.
UNetConfig inspect_unet(const std::string& path);

}  // namespace ipa
