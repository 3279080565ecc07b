#pragma once
// What a kernel of vectors.cu is given.
#include <cstdint>

namespace ipa::gpu_check {

struct VectorArguments {
  const uint32_t* in;
  uint32_t* out;
  uint32_t* own;  // 16 bytes a lane
};

}  // namespace ipa::gpu_check
