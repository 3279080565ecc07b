// Every kernel, number type and tile at small and odd sizes, and one real layer.
#include "kernel_cases.h"

#include "test.h"

namespace ipa::cuda {
namespace {

using Cases = void (*)(uint64_t, ThreadPool*, Failures&);

void run(std::initializer_list<Cases> groups) {
  ThreadPool pool(available_cores());
  const uint64_t seed = fresh_seed();
  Failures failures;
  for (const Cases cases : groups) cases(seed, &pool, failures);
  for (const std::string& text : failures) test::failed(__FILE__, __LINE__, text);
}

TEST("cuda product: small and odd sizes, every tile, f16") {
  run({product_cases<Half, Tile64x64>, product_cases<Half, Tile128x64>, product_cases<Half, Tile128x128>});
}

TEST("cuda product: small and odd sizes, every tile, bf16") {
  run({product_cases<BFloat, Tile64x64>, product_cases<BFloat, Tile128x64>, product_cases<BFloat, Tile128x128>});
}

constexpr ProductSize kLayer{4096, 320, 320, true};

TEST("cuda product: a layer of 4096 x 320 x 320") {
  run({[](uint64_t seed, ThreadPool* pool, Failures& failures) {
         product_case<Half, Half, Tile128x64>(kLayer, seed, pool, failures);
       },
       [](uint64_t seed, ThreadPool* pool, Failures& failures) {
         product_case<BFloat, BFloat, Tile128x64>(kLayer, seed, pool, failures);
       }});
}

TEST("cuda layer_norm: small and odd sizes, every output") {
  run({layer_norm_cases<Half>, layer_norm_cases<BFloat>, layer_norm_cases<float>});
}

TEST("cuda layer_norm: a layer of 4096 x 320") {
  run({[](uint64_t seed, ThreadPool* pool, Failures& failures) {
    layer_norm_case<Half, 10>(4096, 320, seed, pool, failures);
  }});
}

}  // namespace
}  // namespace ipa::cuda
