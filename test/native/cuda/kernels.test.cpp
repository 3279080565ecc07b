// Every kernel, number type and tile at small and odd sizes, and one real layer. Products: products.test.cpp.
#include "kernel_cases.h"
#include "run_cases.h"

namespace ipa::cuda {
namespace {

TEST("cuda layer_norm: small and odd sizes, every output") {
  run_cases({layer_norm_cases<Half>, layer_norm_cases<BFloat>, layer_norm_cases<float>});
}

TEST("cuda layer_norm: a layer of 4096 x 320") {
  run_cases({[](uint64_t seed, ThreadPool* pool, Failures& failures) {
    layer_norm_case<Half, 10>(4096, 320, seed, pool, failures);
  }});
}

}  // namespace
}  // namespace ipa::cuda
