// Runs the kernels' cases, exits with 1 when one fails. test/cuda-defects.test.ts builds it from kernels with one
// planted defect each, and as it is with the sanitizers. IPA_ONLY_PRODUCT and IPA_ONLY_LAYER_NORM leave the other
// kernel out.
#include <cstdio>

#include "kernel_cases.h"

int main() {
  using namespace ipa::cuda;
  const uint64_t seed = fresh_seed();
  void (*const groups[])(uint64_t, ipa::ThreadPool*, Failures&) = {
#if !defined(IPA_ONLY_PRODUCT)
    layer_norm_cases<Half>,
    layer_norm_cases<float>,
#endif
#if !defined(IPA_ONLY_LAYER_NORM)
    product_cases<Half, Half, Tile64x64>,
    product_cases<BFloat, float, Tile128x64>,
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
