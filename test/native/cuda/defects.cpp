// Runs the kernels' cases, exits with 1 when one fails. test/cuda-defects.test.ts builds it from kernels with one
// planted defect each, and as it is with the sanitizers. IPA_ONLY leaves all out but what the macro beside it asks for,
// IPA_ONLY_SOFTMAX=1 for softmax.h: compiling is what takes the time.
#include <cstdio>

#if !defined(IPA_ONLY) || IPA_ONLY_LAYER_NORM || IPA_ONLY_LAYER_NORM_LONG || IPA_ONLY_BLOCK_SUM
#define IPA_LAYER_NORM_CASES 1
#include "kernel_cases.h"
#endif
#if !defined(IPA_ONLY) || IPA_ONLY_PRODUCT
#define IPA_PRODUCT_CASES 1
#include "product_cases.h"
#endif
#if !defined(IPA_ONLY) || IPA_ONLY_CONVOLUTION
#define IPA_CONVOLUTION_CASES 1
#include "convolution_cases.h"
#endif
#if !defined(IPA_ONLY) || IPA_ONLY_CONVOLUTION_DOUBLED
#define IPA_CONVOLUTION_DOUBLED_CASES 1
#include "convolution_cases.h"
#endif
#if !defined(IPA_ONLY) || IPA_ONLY_CONVOLUTION_SHORTCUT
#define IPA_CONVOLUTION_SHORTCUT_CASES 1
#include "convolution_shortcut_cases.h"
#endif
#if !defined(IPA_ONLY) || IPA_ONLY_CONVOLUTION_DIRECT
#define IPA_CONVOLUTION_DIRECT_CASES 1
#include "convolution_cases.h"
#endif
#if !defined(IPA_ONLY) || IPA_ONLY_ATTENTION || IPA_ONLY_ATTENTION_PARTS || IPA_ONLY_CROSS_ATTENTION || \
    IPA_ONLY_ATTENTION_WIDE || IPA_ONLY_ATTENTION_PLAIN
#include "attention_cases.h"
#endif
#if !defined(IPA_ONLY) || IPA_ONLY_GROUP_NORM
#define IPA_GROUP_NORM_CASES 1
#include "group_norm_cases.h"
#endif
#if !defined(IPA_ONLY) || IPA_ONLY_ELEMENTS || IPA_ONLY_ELEMENT_FUNCTION
#define IPA_ELEMENT_CASES 1
#include "element_cases.h"
#endif
#if !defined(IPA_ONLY) || IPA_ONLY_GATHER || IPA_ONLY_STRIDED
#include "gather_cases.h"
#endif
#if !defined(IPA_ONLY) || IPA_ONLY_SOFTMAX || IPA_ONLY_BLOCK_SUM || IPA_ONLY_REDUCE || IPA_ONLY_SINUSOID
#include "row_cases.h"
#endif
#if !defined(IPA_ONLY) || IPA_ONLY_LATENTS
#define IPA_LATENTS_CASES 1
#include "latents_cases.h"
#endif

int main() {
  using namespace ipa::cuda;
  const uint64_t seed = fresh_seed();
  void (*const groups[])(uint64_t, ipa::ThreadPool*, Failures&) = {
#if IPA_LAYER_NORM_CASES
    layer_norm_cases<Half>,
    layer_norm_cases<float>,
#endif
#if IPA_PRODUCT_CASES
    product_cases<Half, Half, Tile64x64>,
    product_tile_cases<BFloat, float, Tile128x128>,
    product_moment_cases<Half, Tile64x64>,
    product_moment_cases<Half, Tile128x160>,
#endif
#if IPA_CONVOLUTION_CASES
    convolution_cases<Half, float, Tile64x64>,
#endif
#if IPA_CONVOLUTION_DOUBLED_CASES
    convolution_doubled_cases<Half, Tile64x64>,
#endif
#if IPA_CONVOLUTION_SHORTCUT_CASES
    convolution_shortcut_cases<Half, Tile64x64>,
#endif
#if IPA_CONVOLUTION_DIRECT_CASES
    convolution_direct_cases<Half>,  // a NaN that strays has other bits than the zones
#endif
#if !defined(IPA_ONLY) || IPA_ONLY_ATTENTION || IPA_ONLY_ATTENTION_PARTS
    attention_cases<Half, Half, Attention40>,
#endif
#if !defined(IPA_ONLY) || IPA_ONLY_ATTENTION_PARTS
    cross_attention_cases<BFloat, BFloat, CrossAttention128>,  // warps that share rows
#endif
#if !defined(IPA_ONLY) || IPA_ONLY_CROSS_ATTENTION
    cross_attention_cases<Half, float, CrossAttention40>,  // three stages
#endif
#if !defined(IPA_ONLY) || IPA_ONLY_ATTENTION_WIDE
    attention_wide_cases<BFloat, BFloat, AttentionWideTile<2>>,
#endif
#if !defined(IPA_ONLY) || IPA_ONLY_ATTENTION_PLAIN
    attention_plain_cases<float, float>,
#endif
#if IPA_GROUP_NORM_CASES
    group_norm_cases<Half>,
    group_norm_cases<float>,
#endif
#if IPA_ELEMENT_CASES
    element_cases<float, 1>,
    element_cases<Half, 4>,
    f32_element_cases<4>,
#endif
#if !defined(IPA_ONLY) || IPA_ONLY_GATHER
    gather_cases<float, 4>,
    gather_cases<Half, 1>,
#endif
#if !defined(IPA_ONLY) || IPA_ONLY_STRIDED
    strided_cases,
#endif
#if !defined(IPA_ONLY) || IPA_ONLY_SOFTMAX || IPA_ONLY_BLOCK_SUM
    softmax_cases<float>,
#endif
#if !defined(IPA_ONLY) || IPA_ONLY_REDUCE || IPA_ONLY_SINUSOID
    reduce_cases,
    sinusoid_cases,
#endif
#if IPA_LATENTS_CASES
    latents_cases,
#endif
  };
  for (const auto group : groups) {
    Failures failures;
    group(seed, nullptr, failures);
    for (const std::string& text : failures) std::printf("%s\n", text.c_str());
    if (!failures.empty()) return 1;  // the rest would only take time
  }
  return 0;
}
