#pragma once
// What a product or a convolution does to its sums before it stores them, the Epilogue of plan/ops.h:
//   y = function(sum + bias[n] + channel[image][n]) + residual[row][n]
// or, for GEGLU, y [rows][n / 2] = (value + …) * gelu(gate + …) + residual. Stored as f32 or 16 bits.
//
// Tile: a warp hands over 16 rows at a time through shared memory, so that neighbours of a row are stored together and
// the functions' code is there once, not once per register. Bound: memory, y written, residual read.
//
// Moments: where a group norm reads y next, the launch leaves (mean, squared deviations) of every pair of columns over
// the rows of a tile or a part of it, from what it stores. Strip by strip in shared memory, then over the warps of the
// tile.
#include "cuda/device/device.h"
#include "cuda/kernels/moments.h"

namespace ipa::cuda {

enum class ResultFunction : int32_t { identity, relu, silu, gelu, quick_gelu };  // gelu by erf

// With geglu, n is a multiple of 16, bias and channel have the values' columns first, then the gates'; W's rows are in
// the order of geglu_row (cuda/packing.h).
struct ResultArguments {
  const float* bias;      // [n] or null
  const float* channel;   // [images][n], [n] when channel_step is 0, or null
  const float* residual;  // [rows][columns of y], or null; may be y
  void* y;                // [rows][n], [rows][n / 2] with geglu; at a multiple of two numbers
  int32_t channel_step;   // numbers from an image to the next in `channel`
  int32_t rows_per_image;
  ResultFunction function;  // identity with geglu
  int32_t geglu;            // 0 or 1
  int32_t line;             // 0, or the rows of a line whose rows go to every other place of every other line of y
  GroupMoments* moments;    // [rows / moment_rows, rounded up][n / 2], or null; y is f32 then, n even, geglu 0
  int32_t moment_rows;      // those of a tile, or 64: the rows of an image are a multiple of it
};

namespace result_parts {

constexpr int kStripRows = 16;

// Of a strip in shared memory, in numbers; 8 more than needed, so that the rows of a fragment lie in different banks.
template <int kColumns>
constexpr int kStripStride = kColumns + 8;

struct alignas(8) Pair {
  float first, second;
};

IPA_DEVICE float sigmoid_part(float x, float slope) {  // x * sigmoid(slope x)
  constexpr float kLog2E = 1.4426950408889634f;
  return divide_fast(x, 1.0f + exp2_fast(-kLog2E * slope * x));
}
IPA_DEVICE float gelu(float x) { return 0.5f * x * (1.0f + error_function(0.70710678118654752f * x)); }

IPA_DEVICE float activated(ResultFunction function, float x) {
  switch (function) {
    case ResultFunction::relu:
      return x < 0.0f ? 0.0f : x;  // NaN stays
    case ResultFunction::silu:
      return sigmoid_part(x, 1.0f);
    case ResultFunction::gelu:
      return gelu(x);
    case ResultFunction::quick_gelu:
      return sigmoid_part(x, 1.702f);
    default:
      return x;
  }
}

// What is added to the sum of a column of W.
IPA_DEVICE float addend(const ResultArguments& result, int image, int column) {
  float sum = result.bias ? result.bias[column] : 0.0f;
  if (result.channel) sum += result.channel[static_cast<size_t>(image) * result.channel_step + column];
  return sum;
}

// Of a row not before `first_row`, which belongs to `first_image`. A division per row would cost more than all else.
IPA_DEVICE int image_of(const ResultArguments& result, int row, int first_image) {
  int image = first_image;
  if (result.channel)
    for (int64_t next = (first_image + int64_t{1}) * result.rows_per_image; next <= row; next += result.rows_per_image)
      ++image;
  return image;
}

// Where a row goes, of a strip whose first one belongs to line `first_line`.
IPA_DEVICE int64_t row_of_y(const ResultArguments& result, int row, int first_line) {
  if (result.line == 0) return row;
  int64_t begin = static_cast<int64_t>(first_line) * result.line;
  while (begin + result.line <= row) begin += result.line;
  return 2 * (row + begin);
}

// Two neighbours in global memory, of which the second may lie outside; `even`: rows have an even number of columns.
template <typename Out>
IPA_DEVICE void store_two(Out* to, bool even, bool both, float first, float second) {
  if (even) {
    store_pair(to, first, second);
  } else {
    convert(first, to[0]);
    if (both) convert(second, to[1]);
  }
}
IPA_DEVICE Pair load_two(const float* from, bool even, bool both) {
  Pair pair;
  if (even)
    load_pair(from, pair.first, pair.second);
  else
    pair = {from[0], both ? from[1] : 0.0f};
  return pair;
}

// A pair of the result within a strip.
struct Spot {
  int row, column;  // of y
  float* value;     // in the strip; the gate is 8 further
  bool inside, both;
};

// Spot `index` of this lane: neighbours of a row go to neighbouring lanes.
template <int kColumns>
IPA_DEVICE Spot spot(const ResultArguments& result, float* strip, int index, int first_row, int first_column, int m,
                     int columns) {
  const int at = index * 32 + static_cast<int>(lane_index());
  Spot spot;
  int row, column;  // in the strip's part of y
  if (result.geglu) {
    row = at / (kColumns / 4), column = at % (kColumns / 4) * 2;
    spot.value = strip + row * kStripStride<kColumns> + column / 8 * 16 + column % 8;
    spot.column = first_column / 2 + column;
  } else {
    row = at / (kColumns / 2), column = at % (kColumns / 2) * 2;
    spot.value = strip + row * kStripStride<kColumns> + column;
    spot.column = first_column + column;
  }
  spot.row = first_row + row;
  spot.inside = row < kStripRows && spot.row < m && spot.column < columns;
  spot.both = spot.column + 1 < columns;
  return spot;
}

// Sums of a pair to function(sums + what is added), within the strip. `columns` of y.
IPA_DEVICE void apply_function(const ResultArguments& result, const Spot& at, int image, int columns) {
  const int next = at.both ? at.column + 1 : at.column;
  Pair pair = shared_load(reinterpret_cast<const Pair*>(at.value));
  pair.first += addend(result, image, at.column), pair.second += addend(result, image, next);
  if (result.geglu) {
    const Pair gate = shared_load(reinterpret_cast<const Pair*>(at.value + 8));
    pair.first *= gelu(gate.first + addend(result, image, columns + at.column));
    pair.second *= gelu(gate.second + addend(result, image, columns + next));
  } else {
    pair = {activated(result.function, pair.first), activated(result.function, pair.second)};
  }
  shared_store(reinterpret_cast<Pair*>(at.value), pair);
}

}  // namespace result_parts

// Moments are of numbers as they are stored: none of 16 bits.
template <typename Out>
constexpr bool kCounts = sizeof(Out) == sizeof(float);

// Finishes 16 rows of a warp's sums, which the warp has put into `strip` [16][kStripStride] and met since. The strip
// begins at row first_row, column first_column of the product [m][n]. It holds the result afterwards where moments are
// wanted, else nothing.
template <typename Out, int kColumns>
IPA_DEVICE void finish_strip(const ResultArguments& result, float* strip, int first_row, int first_column, int m,
                             int n) {
  using namespace result_parts;
  constexpr int kSpots = kStripRows * kColumns / 2 / 32;      // of a lane
  constexpr int kAtOnce = kSpots <= 8 ? kSpots : kSpots / 2;  // more would not fit into the registers beside the sums
  const int columns = result.geglu ? n / 2 : n, spots = result.geglu ? kSpots / 2 : kSpots;
  const bool even = columns % 2 == 0, plain = result.function == ResultFunction::identity && !result.geglu;
  const int first_image = result.channel ? first_row / result.rows_per_image : 0;
  const int first_line = result.line ? first_row / result.line : 0;
  const auto at = [&](int index) { return spot<kColumns>(result, strip, index, first_row, first_column, m, columns); };

  IPA_ROLLED
  for (int from = 0; from < spots; from += kAtOnce) {
    // Reads of global memory that begin together: one after the other they would take longer than the product.
    Pair added[kAtOnce];
    IPA_UNROLL
    for (int i = 0; i < kAtOnce; ++i) {
      const Spot to = at(from + i);
      added[i] = {0.0f, 0.0f};
      if (!to.inside) continue;
      if (result.residual)
        added[i] =
            load_two(result.residual + row_of_y(result, to.row, first_line) * columns + to.column, even, to.both);
      if (plain) {
        const int image = image_of(result, to.row, first_image);
        added[i].first += addend(result, image, to.column);
        if (to.both) added[i].second += addend(result, image, to.column + 1);
      }
    }
    if (!plain) {
      IPA_ROLLED
      for (int i = 0; i < kAtOnce; ++i) {
        const Spot to = at(from + i);
        if (to.inside) apply_function(result, to, image_of(result, to.row, first_image), columns);
      }
    }
    Out* const y = static_cast<Out*>(result.y);
    IPA_UNROLL
    for (int i = 0; i < kAtOnce; ++i) {
      const Spot to = at(from + i);
      if (!to.inside) continue;
      Pair pair = shared_load(reinterpret_cast<const Pair*>(to.value));
      pair.first += added[i].first, pair.second += added[i].second;
      store_two(y + row_of_y(result, to.row, first_line) * columns + to.column, even, to.both, pair.first, pair.second);
      if constexpr (kCounts<Out>)
        if (result.moments) shared_store(reinterpret_cast<Pair*>(to.value), pair);
    }
  }
}

// What a warp knows so far of its pairs of columns, from `before` rows, and the `rows` rows of a strip that holds the
// result. All of the warp.
template <int kColumns>
IPA_DEVICE void count_strip(const float* strip, int rows, int before, GroupMoments* moments) {
  using namespace result_parts;
  if (rows <= 0) return;
  IPA_ROLLED
  for (int pair = static_cast<int>(lane_index()); pair < kColumns / 2; pair += 32) {
    const Pair* const first = reinterpret_cast<const Pair*>(strip + pair * 2);
    constexpr int kStep = kStripStride<kColumns> / 2;
    float sum = 0, squares = 0;
    IPA_ROLLED
    for (int row = 0; row < rows; ++row) {
      const Pair numbers = shared_load(first + row * kStep);
      sum += numbers.first + numbers.second;
    }
    const float mean = sum / static_cast<float>(2 * rows);
    IPA_ROLLED
    for (int row = 0; row < rows; ++row) {
      const Pair numbers = shared_load(first + row * kStep);
      squares += (numbers.first - mean) * (numbers.first - mean) + (numbers.second - mean) * (numbers.second - mean);
    }
    GroupMoments all{mean, squares};
    if (before > 0) {
      all = shared_load(moments + pair);
      merge(all, 2 * before, mean, squares, 2 * rows);
    }
    shared_store(moments + pair, all);
  }
}

// One number of the result, without shared memory; geglu is 0.
template <typename Out>
IPA_DEVICE void finish_one(const ResultArguments& result, int row, int column, int n, float sum) {
  const int image = result.channel ? row / result.rows_per_image : 0;
  const size_t at = static_cast<size_t>(row) * n + column;
  float value = result_parts::activated(result.function, sum + result_parts::addend(result, image, column));
  if (result.residual) value += result.residual[at];
  convert(value, static_cast<Out*>(result.y)[at]);
}

}  // namespace ipa::cuda
