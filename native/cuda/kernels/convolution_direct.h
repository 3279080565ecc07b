#pragma once
// Convolution with few input or output channels (the networks' first and last layers, CLIP's patches), all in f32:
// x [images][height][width][cin], weights [ky][kx][cin][cout] (pack_columns of cuda/packing.h). What happens to the
// sums is in result.h, geglu excepted.
//
// Tile: a thread per number of the result, neighbouring threads have neighbouring output channels and share x. Blocks
// (numbers of the result / kConvolutionDirectThreads). Bound: memory; the reads of x and weights come from L1.
// Measured fraction of the bound: none yet, no card has run it.
#include "cuda/device/device.h"
#include "cuda/kernels/result.h"

namespace ipa::cuda {

struct ConvolutionDirectArguments {
  const float* x;
  const float* weights;
  ResultArguments result;
  int32_t images, height, width, cin, cout, out_h, out_w;  // images out_h out_w is below 2^31
  int32_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w;
};

constexpr int kConvolutionDirectThreads = 256;

template <typename Out>
IPA_DEVICE void convolution_direct(const ConvolutionDirectArguments& given) {
  const int64_t at = static_cast<int64_t>(block_index().x) * kConvolutionDirectThreads + thread_index();
  const int64_t pixel = at / given.cout;
  const int column = static_cast<int>(at % given.cout);
  if (pixel >= static_cast<int64_t>(given.images) * given.out_h * given.out_w) return;
  const int row = static_cast<int>(pixel), line = row / given.out_w;
  const int image = line / given.out_h;
  const int top = line % given.out_h * given.stride_h - given.pad_top;
  const int left = row % given.out_w * given.stride_w - given.pad_left;

  float sum = 0;
  const float* weight = given.weights + column;
  for (int ky = 0; ky < given.kernel_h; ++ky) {
    const int y = top + ky * given.dilation_h;
    for (int kx = 0; kx < given.kernel_w; ++kx) {
      const int x = left + kx * given.dilation_w;
      if (y >= 0 && y < given.height && x >= 0 && x < given.width) {
        const int64_t place = (static_cast<int64_t>(image) * given.height + y) * given.width + x;
        const float* const from = given.x + place * given.cin;
        for (int c = 0; c < given.cin; ++c) sum += from[c] * weight[static_cast<size_t>(c) * given.cout];
      }
      weight += static_cast<size_t>(given.cin) * given.cout;
    }
  }
  finish_one<Out>(given.result, row, column, given.cout, sum);
}

}  // namespace ipa::cuda

// Instances, convolution_direct_<output>: X(name, arguments, threads, blocks, bytes of shared memory, function).
#define IPA_CONVOLUTION_DIRECT_OUT(X, out, Out) \
  X(convolution_direct_##out, ConvolutionDirectArguments, kConvolutionDirectThreads, 1, 0, convolution_direct<Out>)
#define IPA_CONVOLUTION_DIRECT(X)             \
  IPA_CONVOLUTION_DIRECT_OUT(X, f16, Half)    \
  IPA_CONVOLUTION_DIRECT_OUT(X, bf16, BFloat) \
  IPA_CONVOLUTION_DIRECT_OUT(X, f32, float)
