#pragma once
// K1: y = result(A W^T). A [M][K] and W [N][K] of 16 bits, sums in f32; what happens to them is in result.h.
//
// Tile: tile.h; blocks (columns / kN, rows / kM, slices of K). Bound: maths from M, N of some hundreds on, else memory
// (A and W are read N / kN and M / kM times, mostly from L2).
// Measured fraction of the bound: none yet, no card has run it.
#include "cuda/kernels/tile.h"

namespace ipa::cuda {

struct ProductArguments {
  const void* a;  // [m][k], at a multiple of 16 bytes
  const void* w;  // [n][k], at a multiple of 16 bytes
  ResultArguments result;
  SplitArguments split;
  int32_t m, n, k;  // k is a multiple of 8, the others are any
};

template <typename Operand, typename Out, typename Tile>
IPA_DEVICE void product(const ProductArguments& arguments) {
  const Operand* const a = static_cast<const Operand*>(arguments.a);
  const auto source = [&](int first_row, int first_k) {
    return product_parts::MatrixSource<Operand, Tile>(a, first_row, arguments.m, first_k, arguments.k);
  };
  product_parts::run_tile<Operand, Out, Tile>(source, a, static_cast<const Operand*>(arguments.w), arguments.result,
                                              arguments.split, arguments.m, arguments.n, arguments.k);
}

}  // namespace ipa::cuda

// Instances, product_<operand>_<output>_<tile>: X(name, arguments, threads, blocks, bytes of shared memory, function).
#define IPA_PRODUCT_TILE(X, type, Operand, tile)                                                           \
  X(product_##type##_##type##_##tile, ProductArguments, Tile##tile::kThreads, 1, Tile##tile::kSharedBytes, \
    product<Operand, Operand, Tile##tile>)                                                                 \
  X(product_##type##_f32_##tile, ProductArguments, Tile##tile::kThreads, 1, Tile##tile::kSharedBytes,      \
    product<Operand, float, Tile##tile>)
#define IPA_PRODUCT_F16(X)                \
  IPA_PRODUCT_TILE(X, f16, Half, 256x128) \
  IPA_PRODUCT_TILE(X, f16, Half, 128x160) \
  IPA_PRODUCT_TILE(X, f16, Half, 128x128) \
  IPA_PRODUCT_TILE(X, f16, Half, 128x64)  \
  IPA_PRODUCT_TILE(X, f16, Half, 64x64)
#define IPA_PRODUCT_BF16(X)                  \
  IPA_PRODUCT_TILE(X, bf16, BFloat, 256x128) \
  IPA_PRODUCT_TILE(X, bf16, BFloat, 128x160) \
  IPA_PRODUCT_TILE(X, bf16, BFloat, 128x128) \
  IPA_PRODUCT_TILE(X, bf16, BFloat, 128x64)  \
  IPA_PRODUCT_TILE(X, bf16, BFloat, 64x64)
