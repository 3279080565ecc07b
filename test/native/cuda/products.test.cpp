// Matrix products: every tile, operand, output and way to the result at small and odd sizes, and real layers.
#include "plain_product.h"
#include "product_cases.h"
#include "run_cases.h"

namespace ipa::cuda {
namespace {

TEST("cuda product: small and odd sizes, every result") {
  run_cases({product_cases<Half, Half, Tile64x64>, product_cases<BFloat, float, Tile64x64>,
             product_cases<Half, float, Tile128x64>});
}

TEST("cuda product: moments of the result, every tile") {
  run_cases({product_moment_cases<Half, Tile64x64>, product_moment_cases<Half, Tile128x64>,
             product_moment_cases<BFloat, Tile128x128>, product_moment_cases<Half, Tile128x160>,
             product_moment_cases<Half, Tile256x128>});
}

TEST("cuda product: every tile, f16") {
  run_cases({product_tile_cases<Half, float, Tile64x64>, product_tile_cases<Half, Half, Tile128x64>,
             product_tile_cases<Half, Half, Tile128x128>, product_tile_cases<Half, float, Tile128x128>,
             product_tile_cases<Half, Half, Tile128x160>, product_tile_cases<Half, float, Tile128x160>,
             product_tile_cases<Half, Half, Tile256x128>, product_tile_cases<Half, float, Tile256x128>});
}

TEST("cuda product: every tile, bf16") {
  run_cases({product_tile_cases<BFloat, BFloat, Tile64x64>, product_tile_cases<BFloat, BFloat, Tile128x64>,
             product_tile_cases<BFloat, float, Tile128x64>, product_tile_cases<BFloat, BFloat, Tile128x128>,
             product_tile_cases<BFloat, float, Tile128x128>, product_tile_cases<BFloat, BFloat, Tile128x160>,
             product_tile_cases<BFloat, float, Tile128x160>, product_tile_cases<BFloat, BFloat, Tile256x128>,
             product_tile_cases<BFloat, float, Tile256x128>});
}

TEST("cuda product: statistics count what the tile says") {
  Tensor<Half> a(64 * 64), w(64 * 64), c(128 * 64);
  emulator::Launch launch;
  launch.kernel = "product", launch.threads = Tile64x64::kThreads, launch.shared_bytes = Tile64x64::kSharedBytes;
  launch.grid.y = 2;
  const ProductArguments arguments = plain_product(a.data(), w.data(), nullptr, c.data(), 64, 64, 64);
  const emulator::Statistics done = emulator::launch(launch, product<Half, Half, Tile64x64>, arguments);
  // Two blocks, of which the second has no row; two steps of K; four warps; two halves of a step.
  EXPECT_EQ(done.barriers, 2u * (2 + 1));  // one more before the strips take the place of the stages
  EXPECT_EQ(done.products, 2u * 2 * 4 * 2 * (2 * 4));
  EXPECT_EQ(done.matrix_loads, 2u * 2 * 4 * 2 * (2 + 2));
  EXPECT_EQ(done.copies, 2u * 2 * (64 + 64) * 4);
  EXPECT_EQ(done.shuffles, 0u);
}

constexpr ProductSize kLayer{4096, 320, 320, 1, {.bias = true, .residual = true}};

TEST("cuda product: a layer of 4096 x 320 x 320") {
  run_cases({[](uint64_t seed, ThreadPool* pool, Failures& failures) {
               product_case<Half, Half, Tile128x64>(kLayer, seed, pool, failures);
             },
             [](uint64_t seed, ThreadPool* pool, Failures& failures) {
               product_case<BFloat, float, Tile128x160>(kLayer, seed, pool, failures);
             }});
}

}  // namespace
}  // namespace ipa::cuda
