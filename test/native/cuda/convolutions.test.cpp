// Convolutions: every tile, operand and output at small and odd sizes, and real layers.
#include "convolution_cases.h"
#include "convolution_shortcut_cases.h"
#include "run_cases.h"

namespace ipa::cuda {
namespace {

TEST("cuda convolution: small and odd sizes, kernels, strides, paddings, upsampling") {
  run_cases({convolution_cases<Half, Half, Tile64x64>, convolution_cases<BFloat, float, Tile64x64>,
             convolution_cases<Half, float, Tile128x64>});
}

TEST("cuda convolution: every tile, both operands") {
  run_cases({convolution_tile_cases<Half, float, Tile64x64>, convolution_tile_cases<BFloat, BFloat, Tile64x64>,
             convolution_tile_cases<Half, Half, Tile128x64>, convolution_tile_cases<BFloat, BFloat, Tile128x64>,
             convolution_tile_cases<BFloat, float, Tile128x64>, convolution_tile_cases<Half, Half, Tile128x128>,
             convolution_tile_cases<Half, float, Tile128x128>, convolution_tile_cases<BFloat, BFloat, Tile128x128>,
             convolution_tile_cases<BFloat, float, Tile128x128>, convolution_tile_cases<Half, Half, Tile128x160>,
             convolution_tile_cases<Half, float, Tile128x160>, convolution_tile_cases<BFloat, BFloat, Tile128x160>,
             convolution_tile_cases<BFloat, float, Tile128x160>, convolution_tile_cases<Half, Half, Tile256x128>,
             convolution_tile_cases<Half, float, Tile256x128>, convolution_tile_cases<BFloat, BFloat, Tile256x128>,
             convolution_tile_cases<BFloat, float, Tile256x128>});
}

TEST("cuda convolution_shortcut: every tile, both operands") {
  run_cases({convolution_shortcut_cases<Half, Tile64x64>, convolution_shortcut_cases<BFloat, Tile128x64>,
             convolution_shortcut_cases<Half, Tile128x128>, convolution_shortcut_cases<Half, Tile128x160>,
             convolution_shortcut_cases<BFloat, Tile256x128>});
}

TEST("cuda convolution: a layer of 16 x 16, 320 to 320 channels, in slices") {
  run_cases({[](uint64_t seed, ThreadPool* pool, Failures& failures) {
    convolution_case<Half, float, Tile128x160>(
        {.images = 1, .height = 16, .width = 16, .cin = 320, .cout = 320, .slices = 3, .result = kAll}, seed, pool,
        failures);
  }});
}

TEST("cuda convolution_doubled: small and odd sizes, borders, every tile") {
  run_cases({convolution_doubled_cases<Half, Tile64x64>, convolution_doubled_cases<BFloat, Tile64x64>,
             convolution_doubled_tile_cases<Half, Tile128x64>, convolution_doubled_tile_cases<BFloat, Tile128x64>,
             convolution_doubled_tile_cases<Half, Tile128x128>, convolution_doubled_tile_cases<BFloat, Tile128x128>,
             convolution_doubled_tile_cases<Half, Tile128x160>, convolution_doubled_tile_cases<BFloat, Tile128x160>,
             convolution_doubled_tile_cases<Half, Tile256x128>, convolution_doubled_tile_cases<BFloat, Tile256x128>});
}

TEST("cuda convolution_direct: small and odd sizes, every output") {
  run_cases({convolution_direct_cases<Half>, convolution_direct_cases<BFloat>, convolution_direct_cases<float>});
}

TEST("cuda convolution_direct: first and last layers, patches") {
  run_cases({[](uint64_t seed, ThreadPool* pool, Failures& failures) {
    convolution_direct_case<float>({.images = 1, .height = 32, .width = 32, .cin = 4, .cout = 320, .result = kBias},
                                   seed, pool, failures);
    convolution_direct_case<float>({.images = 1, .height = 32, .width = 32, .cin = 320, .cout = 4, .result = kBias},
                                   seed, pool, failures);
    convolution_direct_case<float>({.images = 1,
                                    .height = 56,
                                    .width = 56,
                                    .cin = 3,
                                    .cout = 320,
                                    .kernel_h = 14,
                                    .kernel_w = 14,
                                    .stride_h = 14,
                                    .stride_w = 14,
                                    .pad_top = 0,
                                    .pad_left = 0,
                                    .pad_bottom = 0,
                                    .pad_right = 0},
                                   seed, pool, failures);
  }});
}

}  // namespace
}  // namespace ipa::cuda
