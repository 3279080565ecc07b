#pragma once
// Functions of single numbers and sums of two arrays: apply, geglu, add, add_channel, add_scaled, cast.
//
// Tile: none, every thread takes its indices of the grid; an index is kWide neighbours of a row, 4 where all rows begin
// at multiples of 16 bytes (channels % 4 == 0), else 1. Columns and counts are in such groups.
// Bound: memory, every number is read once and written once.
// Measured fraction of the bound: none yet, no card has run it.
#include "cuda/kernels/element_function.h"
#include "cuda/kernels/spread.h"

namespace ipa::cuda {

// y = function(x)
struct ApplyArguments {
  const float* x;
  void* y;
  int32_t count;
  ElementFunction function;
  float alpha, beta;
};

template <typename Out, int kWide>
IPA_DEVICE void apply(const ApplyArguments& arguments) {
  for_each_index(arguments.count, [&](uint32_t i) {
    float x[kWide];
    load_numbers(group_at<kWide>(arguments.x, i), x);
    IPA_UNROLL
    for (int j = 0; j < kWide; ++j) x[j] = element_value(arguments.function, x[j], arguments.alpha, arguments.beta);
    store_numbers(group_at<kWide>(static_cast<Out*>(arguments.y), i), x);
  });
}

// y = value * gelu(gate), both in a row of x
struct GegluArguments {
  const float* x;  // [rows][2][columns]
  void* y;         // [rows][columns]
  int32_t rows, columns;
};

template <typename Out, int kWide>
IPA_DEVICE void geglu(const GegluArguments& arguments) {
  const uint32_t columns = static_cast<uint32_t>(arguments.columns);
  for_each_index(arguments.rows * arguments.columns, [&](uint32_t i) {
    const uint32_t row = i / columns;
    const size_t at =
        static_cast<size_t>(i) + static_cast<size_t>(row) * columns;  // of the value: 2 row columns + i % columns
    float value[kWide], gate[kWide];
    load_numbers(group_at<kWide>(arguments.x, at), value);
    load_numbers(group_at<kWide>(arguments.x, at + columns), gate);
    IPA_UNROLL
    for (int j = 0; j < kWide; ++j) value[j] *= gelu(gate[j]);
    store_numbers(group_at<kWide>(static_cast<Out*>(arguments.y), i), value);
  });
}

// y = a + b; b begins again after `period`
struct AddArguments {
  const float* a;  // [count]
  const float* b;  // [period]
  void* y;         // [count]
  int32_t count, period;
};

template <typename Out, int kWide>
IPA_DEVICE void add(const AddArguments& arguments) {
  const uint32_t period = static_cast<uint32_t>(arguments.period);
  for_each_index(arguments.count, [&](uint32_t i) {
    float a[kWide], b[kWide];
    load_numbers(group_at<kWide>(arguments.a, i), a);
    load_numbers(group_at<kWide>(arguments.b, i < period ? i : i % period), b);
    IPA_UNROLL
    for (int j = 0; j < kWide; ++j) a[j] += b[j];
    store_numbers(group_at<kWide>(static_cast<Out*>(arguments.y), i), a);
  });
}

// y = x + channel, which is the same for all rows of an image
struct AddChannelArguments {
  const float* x;        // [rows][columns]
  const float* channel;  // [images][columns], or [columns] with step 0
  float* y;              // [rows][columns]
  int32_t rows, columns;
  int32_t rows_of_image;
  int32_t step;  // from one image's channels to the next's: columns, or 0
};

template <int kWide>
IPA_DEVICE void add_channel(const AddChannelArguments& arguments) {
  const uint32_t columns = static_cast<uint32_t>(arguments.columns);
  for_each_index(arguments.rows * arguments.columns, [&](uint32_t i) {
    const uint32_t row = i / columns, column = i % columns;
    const uint32_t image = row / static_cast<uint32_t>(arguments.rows_of_image);
    float x[kWide], channel[kWide];
    load_numbers(group_at<kWide>(arguments.x, i), x);
    load_numbers(group_at<kWide>(arguments.channel, image * static_cast<uint32_t>(arguments.step) + column), channel);
    IPA_UNROLL
    for (int j = 0; j < kWide; ++j) x[j] += channel[j];
    store_numbers(group_at<kWide>(arguments.y, i), x);
  });
}

// out = x + scale * mask * y; where the scale is 0, x exactly, and y and mask are not read
struct AddScaledArguments {
  const float* x;      // [rows][columns]
  const float* y;      // [rows][columns]
  const float* scale;  // one number, read when the kernel runs; null for 1
  const float* mask;   // [mask_rows], begins again after them; null for 1
  void* out;           // [rows][columns]
  int32_t rows, columns, mask_rows;
};

template <typename Out, int kWide>
IPA_DEVICE void add_scaled(const AddScaledArguments& arguments) {
  const float scale = arguments.scale ? *arguments.scale : 1.0f;
  for_each_index(arguments.rows * arguments.columns, [&](uint32_t i) {
    float x[kWide];
    load_numbers(group_at<kWide>(arguments.x, i), x);
    if (scale != 0.0f) {
      float y[kWide], weight = scale;
      load_numbers(group_at<kWide>(arguments.y, i), y);
      if (arguments.mask) {
        const uint32_t row = i / static_cast<uint32_t>(arguments.columns);
        weight *= arguments.mask[row % static_cast<uint32_t>(arguments.mask_rows)];
      }
      IPA_UNROLL
      for (int j = 0; j < kWide; ++j) x[j] += weight * y[j];
    }
    store_numbers(group_at<kWide>(static_cast<Out*>(arguments.out), i), x);
  });
}

// y = x in another number type; x begins again after `period`, which makes a weight the same for every sample
struct CastArguments {
  const void* x;  // [period]
  void* y;        // [count]
  int32_t count, period;
};

template <typename In, typename Out, int kWide>
IPA_DEVICE void cast(const CastArguments& arguments) {
  const uint32_t period = static_cast<uint32_t>(arguments.period);
  for_each_index(arguments.count, [&](uint32_t i) {
    float x[kWide];
    load_numbers(group_at<kWide>(static_cast<const In*>(arguments.x), i < period ? i : i % period), x);
    store_numbers(group_at<kWide>(static_cast<Out*>(arguments.y), i), x);
  });
}

}  // namespace ipa::cuda

// Instances, <op>_<output>_x<neighbours of an index>: X(name, arguments, threads, blocks, bytes of shared memory,
// function).
#define IPA_ELEMENTS_OUT(X, out, Out, wide)                                         \
  X(apply_##out##_x##wide, ApplyArguments, kElementThreads, 1, 0, apply<Out, wide>) \
  X(geglu_##out##_x##wide, GegluArguments, kElementThreads, 1, 0, geglu<Out, wide>) \
  X(add_##out##_x##wide, AddArguments, kElementThreads, 1, 0, add<Out, wide>)       \
  X(add_scaled_##out##_x##wide, AddScaledArguments, kElementThreads, 1, 0, add_scaled<Out, wide>)
#define IPA_CAST(X, in, out, In, Out)                                               \
  X(cast_##in##_##out##_x1, CastArguments, kElementThreads, 1, 0, cast<In, Out, 1>) \
  X(cast_##in##_##out##_x4, CastArguments, kElementThreads, 1, 0, cast<In, Out, 4>)
#define IPA_ELEMENTS(X)                                                             \
  IPA_ELEMENTS_OUT(X, f16, Half, 1)                                                 \
  IPA_ELEMENTS_OUT(X, f16, Half, 4)                                                 \
  IPA_ELEMENTS_OUT(X, bf16, BFloat, 1)                                              \
  IPA_ELEMENTS_OUT(X, bf16, BFloat, 4)                                              \
  IPA_ELEMENTS_OUT(X, f32, float, 1)                                                \
  IPA_ELEMENTS_OUT(X, f32, float, 4)                                                \
  X(add_channel_f32_x1, AddChannelArguments, kElementThreads, 1, 0, add_channel<1>) \
  X(add_channel_f32_x4, AddChannelArguments, kElementThreads, 1, 0, add_channel<4>) \
  IPA_CAST(X, f32, f32, float, float)                                               \
  IPA_CAST(X, f32, f16, float, Half)                                                \
  IPA_CAST(X, f32, bf16, float, BFloat)                                             \
  IPA_CAST(X, f16, f32, Half, float)                                                \
  IPA_CAST(X, bf16, f32, BFloat, float)
