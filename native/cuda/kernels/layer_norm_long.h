#pragma once
// K6 for rows of any length, too long for registers (more than 2048 numbers): the sums of layer_norm.h over a row that
// is read three times, twice of these from L1 or L2.
//
// Tile: a warp per row, kLayerNormWarps rows a block. Bound: memory, 4 bytes read and 2 (f32: 4) written per number,
// and what L2 repeats. Measured fraction of the bound: none yet, no card has run it.
#include "cuda/kernels/layer_norm.h"

namespace ipa::cuda {

template <typename Out>
IPA_DEVICE void layer_norm_long(const LayerNormArguments& arguments) {
  const int columns = arguments.columns, lane = static_cast<int>(lane_index());
  const int row = static_cast<int>(block_index().x) * kLayerNormWarps + static_cast<int>(warp_index());
  if (row >= arguments.rows) return;  // the whole warp
  const float* const x = arguments.x + static_cast<size_t>(row) * columns;

  float sum = 0, squares = 0;
  for (int column = lane; column < columns; column += 32) sum += x[column];
  const float mean = warp_sum(sum) / static_cast<float>(columns);
  for (int column = lane; column < columns; column += 32) squares += (x[column] - mean) * (x[column] - mean);
  const float scale = rsqrt_fast(warp_sum(squares) / static_cast<float>(columns) + arguments.epsilon);

  Out* const y = static_cast<Out*>(arguments.y) + static_cast<size_t>(row) * columns;
  for (int column = lane; column < columns; column += 32)
    convert((x[column] - mean) * scale * arguments.gamma[column] + arguments.beta[column], y[column]);
}

}  // namespace ipa::cuda

// Instances of both forms, layer_norm_<output>_<most columns>: X(name, arguments, threads, blocks, bytes of shared
// memory, function).
#define IPA_LAYER_NORM_OUT(X, out, Out)                                                        \
  X(layer_norm_##out##_320, LayerNormArguments, kLayerNormThreads, 1, 0, layer_norm<Out, 10>)  \
  X(layer_norm_##out##_640, LayerNormArguments, kLayerNormThreads, 1, 0, layer_norm<Out, 20>)  \
  X(layer_norm_##out##_1024, LayerNormArguments, kLayerNormThreads, 1, 0, layer_norm<Out, 32>) \
  X(layer_norm_##out##_1280, LayerNormArguments, kLayerNormThreads, 1, 0, layer_norm<Out, 40>) \
  X(layer_norm_##out##_2048, LayerNormArguments, kLayerNormThreads, 1, 0, layer_norm<Out, 64>) \
  X(layer_norm_##out##_long, LayerNormArguments, kLayerNormThreads, 1, 0, layer_norm_long<Out>)
#define IPA_LAYER_NORM(X)             \
  IPA_LAYER_NORM_OUT(X, f16, Half)    \
  IPA_LAYER_NORM_OUT(X, bf16, BFloat) \
  IPA_LAYER_NORM_OUT(X, f32, float)
