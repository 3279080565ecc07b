#pragma once
// Any weight file, by content.
#include <memory>
#include <string>

#include "core/tensor_index.h"
#include "io/file.h"

namespace ipa {

// safetensors, PyTorch (zip, legacy), ONNX initialisers, or an index of shards beside its shards.
TensorSource open_weights(const std::string& path);

// One file that is open already; a shard may not be an index of shards itself.
TensorSource open_weights_file(std::shared_ptr<const File> file);

// The same source without what training wraps around names: the nesting, then "module." if all names begin with it.
TensorSource without_nesting(TensorSource source);

}  // namespace ipa
