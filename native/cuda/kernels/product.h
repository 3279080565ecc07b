#pragma once
// K1: y = result(A W^T). A [M][K] and W [N][K] of 16 bits, sums in f32; what happens to them is in result.h. Up to
// three products of the same A and of one size are one launch: q, k, v of attention.
//
// Tile: tile.h; blocks (parts * columns / kN, rows / kM, slices of K), the columns of a part side by side. Bound: maths
// from M, N of some hundreds on, else memory (A and W are read N / kN and M / kM times, mostly from L2). Measured
// fraction of the bound: none yet, no card has run it.
#include "cuda/kernels/tile.h"

namespace ipa::cuda {

inline constexpr int kMostProductParts = 3;

struct ProductPart {
  const void* w;  // [n][k], at a multiple of 16 bytes
  ResultArguments result;
};
struct ProductArguments {
  const void* a;  // [m][k], at a multiple of 16 bytes
  ProductPart parts[kMostProductParts];
  SplitArguments split;  // [parts][slices][m][n]
  int32_t m, n, k;       // k is a multiple of 8, the others are any
};

template <typename Operand, typename Out, typename Tile>
IPA_DEVICE void product(const ProductArguments& arguments) {
  const Operand* const a = static_cast<const Operand*>(arguments.a);
  const int columns = (arguments.n + Tile::kN - 1) / Tile::kN, column = static_cast<int>(block_index().x);
  const int number = column / columns;
  const ProductPart& part = arguments.parts[number];
  SplitArguments split = arguments.split;
  if (number > 0 && grid_size().z > 1)
    split.sums += static_cast<size_t>(number) * grid_size().z * static_cast<size_t>(arguments.m) * arguments.n;
  const auto source = [&](int first_row, int first_k) {
    return product_parts::MatrixSource<Operand, Tile>(a, first_row, arguments.m, first_k, arguments.k);
  };
  product_parts::run_tile<Operand, Out, Tile>(source, a, static_cast<const Operand*>(part.w), part.result, split,
                                              arguments.m, arguments.n, arguments.k, column - number * columns);
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
