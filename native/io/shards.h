#pragma once
// An index of shards: {"weight_map": {"tensor": "file"}}. The shards lie where the index lies.
#include <memory>

#include "core/tensor_index.h"
#include "io/file.h"

namespace ipa {

TensorSource open_shards(const File& index);

}  // namespace ipa
