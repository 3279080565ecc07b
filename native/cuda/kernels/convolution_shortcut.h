#pragma once
// K2 with a product appended along K, the end of a ResNet: y = result(convolution(x) + shortcut W^T). The taps of x
// (convolution.h) come first, then the shortcut's channels: shortcut [pixels of the result][depth] and weights
// [cout][depth] of 16 bits. The sums are joined before they are rounded, and the shortcut's own result is never
// written.
//
// Tile: tile.h; blocks and slices as those of the convolution, over the steps of both. Bound: as the convolution's.
// Measured fraction of the bound: none yet, no card has run it.
#include "cuda/kernels/convolution.h"

namespace ipa::cuda {

struct ConvolutionShortcutArguments {
  ConvolutionArguments convolution;
  const void* shortcut;  // [images out_h out_w][depth], at a multiple of 16 bytes
  const void* weights;   // [cout][depth], at a multiple of 16 bytes
  int32_t depth;         // a multiple of 8
};

namespace convolution_parts {

// Goes on, after a source's own steps, through the rows of a matrix [rows][depth], which begin with a step of their own
// (what is left of the source's last one is zeros). Where it is there follows from the step: registers are scarce.
template <typename Operand, typename Tile, typename Source>
struct WithMatrix {
  Source source;
  const Operand* matrix;
  int first_row, rows, depth;
  int left;  // steps of the source from here on; those of the matrix so far where negative

  IPA_DEVICE bool find(int i, int k, const Operand*& from) const {
    if (left > 0) return source.find(i, k, from);
    const int row = first_row + product_parts::row_of_thread() + i * product_parts::kRowStep<Tile>;
    const int column = product_parts::chunk_of_thread() * product_parts::kChunk - left * Tile::kK;
    const bool inside = row < rows && column < depth;
    if (inside) from = matrix + static_cast<int64_t>(row) * depth + column;
    return inside;
  }
  IPA_DEVICE void advance() {
    if (left > 0) source.advance();
    --left;
  }
};

}  // namespace convolution_parts

// The result is f32: the residual stream.
template <typename Operand, typename Tile>
IPA_DEVICE void convolution_shortcut(const ConvolutionShortcutArguments& arguments) {
  using namespace product_parts;
  const ConvolutionArguments& given = arguments.convolution;
  const int m = given.images * given.out_h * given.out_w, n = given.cout;
  const int k = given.kernel_h * given.kernel_w * given.cin, taps = (k + Tile::kK - 1) / Tile::kK;  // taps: steps
  const int depth = arguments.depth;
  const int warp = static_cast<int>(warp_index());
  constexpr int kWarpsN = Tile::kN / Tile::kWarpN;
  const int warp_m = warp / kWarpsN * Tile::kWarpM, warp_n = warp % kWarpsN * Tile::kWarpN;
  const int block_m = static_cast<int>(block_index().y) * Tile::kM;
  const int block_n = static_cast<int>(block_index().x) * Tile::kN;
  const Share share = share_of_slice(taps + (depth + Tile::kK - 1) / Tile::kK);
  Sums<Tile> sums = {};
  const int first_k = share.first * Tile::kK, left = taps - share.first;
  const Operand* const x = static_cast<const Operand*>(given.x);
  const Operand* const w = static_cast<const Operand*>(given.weights);
  using Pixels = convolution_parts::PixelSource<Operand, Tile>;
  using Matrix = MatrixSource<Operand, Tile>;
  sum_products<Tile>(
      convolution_parts::WithMatrix<Operand, Tile, Pixels>{
          Pixels(given, block_m, first_k, k), static_cast<const Operand*>(arguments.shortcut), block_m, m, depth, left},
      x,
      convolution_parts::WithMatrix<Operand, Tile, Matrix>{
          Matrix(w, block_n, n, first_k, k), static_cast<const Operand*>(arguments.weights), block_n, n, depth, left},
      w, k, share.count, warp_m, warp_n, sums);
  finish_tile<float, Tile>(given.result, given.split, block_m, block_n, warp_m, warp_n, m, n, sums);
}

}  // namespace ipa::cuda

// Instances, convolution_shortcut_<operand>_f32_<tile>: X(name, arguments, threads, blocks, bytes of shared memory,
// function). Tile 128x160 has no registers left on sm_75, where copies go through them.
#define IPA_CONVOLUTION_SHORTCUT_TILE(X, type, Operand, tile)                                        \
  X(convolution_shortcut_##type##_f32_##tile, ConvolutionShortcutArguments, Tile##tile::kThreads, 1, \
    Tile##tile::kSharedBytes, convolution_shortcut<Operand, Tile##tile>)
#define IPA_CONVOLUTION_SHORTCUT_F16(X)                \
  IPA_CONVOLUTION_SHORTCUT_TILE(X, f16, Half, 256x128) \
  IPA_CONVOLUTION_SHORTCUT_TILE(X, f16, Half, 128x128) \
  IPA_CONVOLUTION_SHORTCUT_TILE(X, f16, Half, 128x64)  \
  IPA_CONVOLUTION_SHORTCUT_TILE(X, f16, Half, 64x64)
#define IPA_CONVOLUTION_SHORTCUT_AMPERE(X) IPA_CONVOLUTION_SHORTCUT_TILE(X, f16, Half, 128x160)
#define IPA_CONVOLUTION_SHORTCUT_BF16(X)                  \
  IPA_CONVOLUTION_SHORTCUT_TILE(X, bf16, BFloat, 256x128) \
  IPA_CONVOLUTION_SHORTCUT_TILE(X, bf16, BFloat, 128x160) \
  IPA_CONVOLUTION_SHORTCUT_TILE(X, bf16, BFloat, 128x128) \
  IPA_CONVOLUTION_SHORTCUT_TILE(X, bf16, BFloat, 128x64)  \
  IPA_CONVOLUTION_SHORTCUT_TILE(X, bf16, BFloat, 64x64)
