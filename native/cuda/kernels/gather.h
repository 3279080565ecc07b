#pragma once
// Rows copied whole from where an index or a shape says: concat, upsample, take_rows (embeddings, tokens).
//
// Tile: none, every thread takes its indices of the grid; an index is kWide neighbours of a row, 4 where all rows begin
// at multiples of 16 bytes (channels % 4 == 0), else 1. Columns are in such groups, rows * columns is below 2^31.
// Bound: memory, every number is read once and written once.
// Measured fraction of the bound: none yet, no card has run it.
#include "cuda/kernels/spread.h"

namespace ipa::cuda {

constexpr int kMostConcatSources = 4;

// y = the rows of the sources, one behind the other. Along channels a row is a pixel, along tokens or rows a sample.
struct ConcatArguments {
  const float* x[kMostConcatSources];  // [rows][columns of this source]
  int32_t ends[kMostConcatSources];    // where each ends in a row of y; sources that do not exist end where y does
  void* y;                             // [rows][columns], of rows with `pitch`
  int32_t rows, columns, pitch;
};

template <typename Out, int kWide>
IPA_DEVICE void concat(const ConcatArguments& arguments) {
  const uint32_t columns = static_cast<uint32_t>(arguments.columns);
  for_each_index(arguments.rows * arguments.columns, [&](uint32_t i) {
    const uint32_t row = i / columns, column = i % columns;
    const float* from = nullptr;
    uint32_t begin = 0, end = 0;
    IPA_UNROLL
    for (int source = 0; source < kMostConcatSources; ++source) {
      if (column < end) continue;  // found
      begin = end, end = static_cast<uint32_t>(arguments.ends[source]), from = arguments.x[source];
    }
    float numbers[kWide];
    load_numbers(group_at<kWide>(from, static_cast<size_t>(row) * (end - begin) + column - begin), numbers);
    const size_t to = static_cast<size_t>(row) * arguments.pitch + column;
    store_numbers(group_at<kWide>(static_cast<Out*>(arguments.y), to), numbers);
  });
}

// y[n][i][j] = x[n][i * h / out_h][j * w / out_w], rounded down
struct UpsampleArguments {
  const float* x;  // [images][h][w][columns]
  void* y;         // [images][out_h][out_w][columns]
  int32_t images, h, w, columns, out_h, out_w;
};

template <typename Out, int kWide>
IPA_DEVICE void upsample(const UpsampleArguments& arguments) {
  const uint32_t columns = static_cast<uint32_t>(arguments.columns);
  const uint32_t h = static_cast<uint32_t>(arguments.h), w = static_cast<uint32_t>(arguments.w);
  const uint32_t out_h = static_cast<uint32_t>(arguments.out_h), out_w = static_cast<uint32_t>(arguments.out_w);
  for_each_index(arguments.images * arguments.out_h * arguments.out_w * arguments.columns, [&](uint32_t i) {
    const uint32_t pixel = i / columns, line = pixel / out_w, image = line / out_h;
    const uint32_t from_line = line % out_h * h / out_h, from_pixel = pixel % out_w * w / out_w;
    const size_t row = (static_cast<size_t>(image) * h + from_line) * w + from_pixel;
    float numbers[kWide];
    load_numbers(group_at<kWide>(arguments.x, row * columns + i % columns), numbers);
    store_numbers(group_at<kWide>(static_cast<Out*>(arguments.y), i), numbers);
  });
}

// y[r] = from[r * step + index[r]]: rows of one table (step 0), or one row of every sample (step: the rows of one)
struct TakeRowsArguments {
  const void* from;    // rows of `columns`
  const float* index;  // [rows], whole numbers
  float* y;            // [rows][columns]
  int32_t rows, columns, step;
  int32_t choices;  // an index outside [0, choices) is held inside: what a caller bound may be anything
};

template <typename In, int kWide>
IPA_DEVICE void take_rows(const TakeRowsArguments& arguments) {
  const uint32_t columns = static_cast<uint32_t>(arguments.columns);
  for_each_index(arguments.rows * arguments.columns, [&](uint32_t i) {
    const uint32_t row = i / columns;
    const float wanted = arguments.index[row];
    int32_t chosen = 0;  // NaN too
    if (wanted > 0.0f) chosen = wanted < 1e9f ? static_cast<int32_t>(wanted) : 1000000000;
    if (chosen >= arguments.choices) chosen = arguments.choices - 1;
    const size_t from_row = static_cast<size_t>(row) * arguments.step + chosen;
    float numbers[kWide];
    load_numbers(group_at<kWide>(static_cast<const In*>(arguments.from), from_row * columns + i % columns), numbers);
    store_numbers(group_at<kWide>(arguments.y, i), numbers);
  });
}

}  // namespace ipa::cuda

// Instances, concat and upsample_<output>, take_rows_<input>, each _x<neighbours of an index>: X(name, arguments,
// threads, blocks, bytes of shared memory, function).
#define IPA_GATHER_TYPE(X, type, Type, wide)                                                   \
  X(concat_##type##_x##wide, ConcatArguments, kElementThreads, 1, 0, concat<Type, wide>)       \
  X(upsample_##type##_x##wide, UpsampleArguments, kElementThreads, 1, 0, upsample<Type, wide>) \
  X(take_rows_##type##_x##wide, TakeRowsArguments, kElementThreads, 1, 0, take_rows<Type, wide>)
#define IPA_GATHER(X)                 \
  IPA_GATHER_TYPE(X, f16, Half, 1)    \
  IPA_GATHER_TYPE(X, f16, Half, 4)    \
  IPA_GATHER_TYPE(X, bf16, BFloat, 1) \
  IPA_GATHER_TYPE(X, bf16, BFloat, 4) \
  IPA_GATHER_TYPE(X, f32, float, 1)   \
  IPA_GATHER_TYPE(X, f32, float, 4)
