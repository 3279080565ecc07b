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
  run({product_cases<Half, Half, Tile64x64>, product_cases<Half, float, Tile64x64>,
       product_cases<Half, Half, Tile128x64>, product_cases<Half, float, Tile128x64>,
       product_cases<Half, Half, Tile128x128>, product_cases<Half, float, Tile128x128>});
}

TEST("cuda product: small and odd sizes, every tile, bf16") {
  run({product_cases<BFloat, BFloat, Tile64x64>, product_cases<BFloat, float, Tile64x64>,
       product_cases<BFloat, BFloat, Tile128x64>, product_cases<BFloat, float, Tile128x64>,
       product_cases<BFloat, BFloat, Tile128x128>, product_cases<BFloat, float, Tile128x128>});
}

TEST("cuda product: statistics count what the tile says") {
  Tensor<Half> a(64 * 64), w(64 * 64), c(128 * 64);
  emulator::Launch launch;
  launch.kernel = "product", launch.threads = Tile64x64::kThreads, launch.shared_bytes = Tile64x64::kSharedBytes;
  launch.grid.y = 2;
  const emulator::Statistics done = emulator::launch(
      launch, product<Half, Half, Tile64x64>, ProductArguments{a.data(), w.data(), nullptr, c.data(), 64, 64, 64});
  // Two blocks, of which the second has no row; two steps of K; four warps; two halves of a step.
  EXPECT_EQ(done.barriers, 2u * 2);
  EXPECT_EQ(done.products, 2u * 2 * 4 * 2 * (2 * 4));
  EXPECT_EQ(done.matrix_loads, 2u * 2 * 4 * 2 * (2 + 2));
  EXPECT_EQ(done.copies, 2u * 2 * (64 + 64) * 4);
  EXPECT_EQ(done.shuffles, 0u);
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
