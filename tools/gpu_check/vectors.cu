// One kernel per wrapper: 32 lanes read their words, call it once, write what it made. Recorded by vectors.cpp.
#include "vector_wrappers.h"

#include "vectors.h"

using namespace ipa::cuda;
using namespace ipa::cuda::vectors;
using ipa::gpu_check::VectorArguments;

#define IPA_VECTOR_KERNEL(name, inputs, outputs, limit, draw, ...)          \
  IPA_KERNEL(32, 1) vector_##name(VectorArguments given) {                  \
    [[maybe_unused]] const uint32_t* in = given.in + inputs * lane_index(); \
    [[maybe_unused]] uint32_t* own = given.own + 4 * lane_index();          \
    uint32_t* out = given.out + outputs * lane_index();                     \
    __VA_ARGS__;                                                            \
  }

IPA_WRAPPERS(IPA_VECTOR_KERNEL)
#if !defined(IPA_WITHOUT_BF16)  // sm_75
IPA_BF16_WRAPPERS(IPA_VECTOR_KERNEL)
#endif
