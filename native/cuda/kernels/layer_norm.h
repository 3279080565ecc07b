#pragma once
// K6: y = (x - mean) / sqrt(variance + epsilon) * gamma + beta, per row. x [rows][columns] f32, y of 16 bits or f32.
//
// Tile: a warp per row, kLayerNormWarps rows a block; the row stays in registers, kPerLane numbers in each lane, and is
// read once. Two passes, so that a large mean costs no digits. Longer rows: layer_norm_long.h.
// Bound: memory, 4 bytes read and 2 (f32: 4) written per number.
// Measured fraction of the bound: none yet, no card has run it.
#include "cuda/kernels/block_sum.h"

namespace ipa::cuda {

struct LayerNormArguments {
  const float* x;      // [rows][columns]
  const float* gamma;  // [columns]
  const float* beta;   // [columns]
  void* y;             // [rows][columns]
  int32_t rows, columns;
  float epsilon;
};

constexpr int kLayerNormWarps = 4;
constexpr int kLayerNormThreads = kLayerNormWarps * 32;

// columns <= 32 kPerLane
template <typename Out, int kPerLane>
IPA_DEVICE void layer_norm(const LayerNormArguments& arguments) {
  const int columns = arguments.columns, lane = static_cast<int>(lane_index());
  const int row = static_cast<int>(block_index().x) * kLayerNormWarps + static_cast<int>(warp_index());
  if (row >= arguments.rows) return;  // the whole warp
  const float* const x = arguments.x + static_cast<size_t>(row) * columns;

  float values[kPerLane], sum = 0;
  IPA_UNROLL
  for (int i = 0; i < kPerLane; ++i) {
    const int column = i * 32 + lane;
    values[i] = column < columns ? x[column] : 0.0f;
    sum += values[i];
  }
  const float mean = warp_sum(sum) / static_cast<float>(columns);

  float squares = 0;
  IPA_UNROLL
  for (int i = 0; i < kPerLane; ++i) {
    const float difference = i * 32 + lane < columns ? values[i] - mean : 0.0f;
    squares += difference * difference;
  }
  const float scale = rsqrt_fast(warp_sum(squares) / static_cast<float>(columns) + arguments.epsilon);

  Out* const y = static_cast<Out*>(arguments.y) + static_cast<size_t>(row) * columns;
  IPA_UNROLL
  for (int i = 0; i < kPerLane; ++i) {
    const int column = i * 32 + lane;
    if (column < columns)
      convert((values[i] - mean) * scale * arguments.gamma[column] + arguments.beta[column], y[column]);
  }
}

}  // namespace ipa::cuda
