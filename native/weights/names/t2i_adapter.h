#pragma once
// T2I-Adapters as their authors saved them -> diffusers' names, `adapter.body.<level>.resnets.<block>...`.
#include "core/tensor_index.h"

namespace ipa {

TensorSource t2i_adapter_names(TensorSource source);

}  // namespace ipa
