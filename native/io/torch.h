#pragma once
// PyTorch checkpoints, zip and legacy. Nested dicts become dotted names: {"image_proj": {"proj.weight": t}} is
// "image_proj.proj.weight". Views (transposed, strided, expanded) are read as contiguous tensors.
#include <memory>
#include <string>

#include "core/tensor_index.h"
#include "io/file.h"

namespace ipa {

TensorSource open_torch_zip(std::shared_ptr<const File> file);
TensorSource open_torch_legacy(std::shared_ptr<const File> file);
// Either container. Anything else is refused as sniff() refuses it.
TensorSource open_torch(const std::string& path);

}  // namespace ipa
