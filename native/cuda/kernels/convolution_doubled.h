#pragma once
// K2 in its phase form: a 3x3 convolution of an image whose pixels a nearest upsample has made four of, as four 2x2
// convolutions of the image before that, one for each place that a pixel of the result has among its four. Sixteen taps
// instead of 36: those that meet the same pixel were summed when packed (pack_doubled in cuda/packing.h).
//
// Tile: tile.h; blocks (4 * cout / kN, pixels of x / kM, slices of K), the columns of a convolution side by side.
// Bound: as convolution.h; a row of a tile goes to every other pixel of every other line, in pieces of kN numbers.
// Measured fraction of the bound: none yet, no card has run it.
#include "cuda/kernels/convolution.h"

namespace ipa::cuda {

// Of ConvolutionArguments: kernel 2x2, stride and dilation 1, padding 1 above and on the left; out_h, virtual_h are
// height, out_w, virtual_w width; weights [4][cout][2][2][cin]; split.sums [4][slices][pixels of x][cout]; result.line
// is width, result.rows_per_image counts pixels of x.
template <typename Operand, typename Tile>
IPA_DEVICE void convolution_doubled(const ConvolutionArguments& arguments) {
  const int m = arguments.images * arguments.height * arguments.width, n = arguments.cout, k = 4 * arguments.cin;
  const int columns = (n + Tile::kN - 1) / Tile::kN, column = static_cast<int>(block_index().x);
  const int number = column / columns, down = number / 2, right = number % 2;

  ResultArguments result = arguments.result;
  const size_t first = (static_cast<size_t>(down) * 2 * arguments.width + right) * n;  // of y, for the first row
  result.y = static_cast<float*>(result.y) + first;
  if (result.residual) result.residual += first;
  SplitArguments split = arguments.split;
  if (grid_size().z > 1) split.sums += static_cast<size_t>(number) * grid_size().z * static_cast<size_t>(m) * n;
  const Operand* const weights =
      static_cast<const Operand*>(arguments.weights) + static_cast<size_t>(number) * n * static_cast<size_t>(k);

  const auto source = [&](int first_row, int first_k) {
    return convolution_parts::PixelSource<Operand, Tile>(arguments, first_row, first_k, k, down, right);
  };
  product_parts::run_tile<Operand, float, Tile>(source, static_cast<const Operand*>(arguments.x), weights, result,
                                                split, m, n, k, column - number * columns);
}

}  // namespace ipa::cuda

// Instances, convolution_doubled_<operand>_<output>_<tile>: X(name, arguments, threads, blocks, bytes of shared memory,
// function).
#define IPA_CONVOLUTION_DOUBLED_TILE(X, type, Operand, tile)                                                          \
  X(convolution_doubled_##type##_f32_##tile, ConvolutionArguments, Tile##tile::kThreads, 1, Tile##tile::kSharedBytes, \
    convolution_doubled<Operand, Tile##tile>)
#define IPA_CONVOLUTION_DOUBLED_F16(X)                \
  IPA_CONVOLUTION_DOUBLED_TILE(X, f16, Half, 256x128) \
  IPA_CONVOLUTION_DOUBLED_TILE(X, f16, Half, 128x160) \
  IPA_CONVOLUTION_DOUBLED_TILE(X, f16, Half, 128x128) \
  IPA_CONVOLUTION_DOUBLED_TILE(X, f16, Half, 128x64)  \
  IPA_CONVOLUTION_DOUBLED_TILE(X, f16, Half, 64x64)
#define IPA_CONVOLUTION_DOUBLED_BF16(X)                  \
  IPA_CONVOLUTION_DOUBLED_TILE(X, bf16, BFloat, 256x128) \
  IPA_CONVOLUTION_DOUBLED_TILE(X, bf16, BFloat, 128x160) \
  IPA_CONVOLUTION_DOUBLED_TILE(X, bf16, BFloat, 128x128) \
  IPA_CONVOLUTION_DOUBLED_TILE(X, bf16, BFloat, 128x64)  \
  IPA_CONVOLUTION_DOUBLED_TILE(X, bf16, BFloat, 64x64)
