#pragma once
// K2: convolution over NHWC as a product whose A is never written: row = pixel of the result, column = tap and channel.
// x [images][height][width][cin] and weights [cout][ky][kx][cin] of 16 bits, sums in f32; what happens to them is in
// result.h. A nearest upsample to virtual_h x virtual_w may stand between x and the taps.
//
// Tile: tile.h; blocks (cout / kN, pixels of the result / kM, slices of K). For a tap, a tile of A is the image
// shifted, with zeros where it has no pixel. Bound: maths from some hundreds of channels and pixels on, else memory (x
// is read cout / kN times kernel_h kernel_w times, all but the first from L2 or L1). Measured fraction of the bound:
// none yet, no card has run it.
#include "cuda/kernels/tile.h"

namespace ipa::cuda {

struct ConvolutionArguments {
  const void* x;        // at a multiple of 16 bytes
  const void* weights;  // at a multiple of 16 bytes
  ResultArguments result;
  SplitArguments split;
  int32_t images, height, width, cin;  // cin is a multiple of 8; height and width are below 65536
  int32_t cout, out_h, out_w;          // images out_h out_w is below 2^31
  int32_t kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w;
  int32_t virtual_h, virtual_w;  // height and width where nothing is upsampled; below 65536
};

namespace convolution_parts {

// Where a place of the upsampled image comes from: floor(at * size / virtual_size).
IPA_DEVICE int source(int at, int size, int virtual_size) {
  if (virtual_size == size) return at;
  if (virtual_size == 2 * size) return at / 2;  // what the networks do; a division takes twenty instructions
  return static_cast<int>(static_cast<uint32_t>(at) * static_cast<uint32_t>(size) /
                          static_cast<uint32_t>(virtual_size));
}

// The chunks of A that a thread copies (see MatrixSource): its rows are pixels of the result, kept as the corner of x
// under their first tap; its columns go on through channels, then taps.
template <typename Operand, typename Tile>
struct PixelSource {
  static constexpr int kRows = Tile::kM / product_parts::kRowStep<Tile>;
  static constexpr int kNowhere = -(1 << 30);  // stays outside whatever the tap

  const ConvolutionArguments& given;
  int top[kRows], left[kRows], first_row[kRows];  // of the upsampled image; lines of x before this image
  int channel, tap_y, tap_x, columns;             // of the chunk; numbers of K left from there on

  // `down`, `right`: how much later than the padding says the first tap is.
  IPA_DEVICE PixelSource(const ConvolutionArguments& arguments, int first_pixel, int first_k, int k, int down = 0,
                         int right = 0)
      : given(arguments) {
    const int pixels = given.out_h * given.out_w;
    IPA_UNROLL
    for (int i = 0; i < kRows; ++i) {
      const int pixel = first_pixel + product_parts::row_of_thread() + i * product_parts::kRowStep<Tile>;
      const int image = pixel / pixels, y = pixel % pixels / given.out_w, x = pixel % given.out_w;
      top[i] = image < given.images ? y * given.stride_h - given.pad_top + down : kNowhere;
      left[i] = x * given.stride_w - given.pad_left + right;
      first_row[i] = image * given.height;
    }
    const int column = first_k + product_parts::chunk_of_thread() * product_parts::kChunk, tap = column / given.cin;
    channel = column % given.cin, columns = k - column;
    tap_y = tap / given.kernel_w * given.dilation_h, tap_x = tap % given.kernel_w * given.dilation_w;
  }

  IPA_DEVICE bool find(int i, int, const Operand*& from) const {
    const int y = top[i] + tap_y, x = left[i] + tap_x;
    if (columns <= 0 || y < 0 || y >= given.virtual_h || x < 0 || x >= given.virtual_w) return false;
    const int row = first_row[i] + source(y, given.height, given.virtual_h);
    const int64_t pixel = static_cast<int64_t>(row) * given.width + source(x, given.width, given.virtual_w);
    from = static_cast<const Operand*>(given.x) + pixel * given.cin + channel;
    return true;
  }

  IPA_DEVICE void advance() {
    columns -= Tile::kK;
    for (channel += Tile::kK; channel >= given.cin; channel -= given.cin) {
      tap_x += given.dilation_w;
      if (tap_x == given.kernel_w * given.dilation_w) tap_x = 0, tap_y += given.dilation_h;
    }
  }
};

}  // namespace convolution_parts

template <typename Operand, typename Out, typename Tile>
IPA_DEVICE void convolution(const ConvolutionArguments& arguments) {
  const int m = arguments.images * arguments.out_h * arguments.out_w;
  const int k = arguments.kernel_h * arguments.kernel_w * arguments.cin;
  const auto source = [&](int first_row, int first_k) {
    return convolution_parts::PixelSource<Operand, Tile>(arguments, first_row, first_k, k);
  };
  product_parts::run_tile<Operand, Out, Tile>(source, static_cast<const Operand*>(arguments.x),
                                              static_cast<const Operand*>(arguments.weights), arguments.result,
                                              arguments.split, m, arguments.cout, k, static_cast<int>(block_index().x));
}

}  // namespace ipa::cuda

// Instances, convolution_<operand>_<output>_<tile>: X(name, arguments, threads, blocks, bytes of shared memory,
// function).
#define IPA_CONVOLUTION_TILE(X, type, Operand, tile)                                                               \
  X(convolution_##type##_##type##_##tile, ConvolutionArguments, Tile##tile::kThreads, 1, Tile##tile::kSharedBytes, \
    convolution<Operand, Operand, Tile##tile>)                                                                     \
  X(convolution_##type##_f32_##tile, ConvolutionArguments, Tile##tile::kThreads, 1, Tile##tile::kSharedBytes,      \
    convolution<Operand, float, Tile##tile>)
#define IPA_CONVOLUTION_F16(X)                \
  IPA_CONVOLUTION_TILE(X, f16, Half, 256x128) \
  IPA_CONVOLUTION_TILE(X, f16, Half, 128x160) \
  IPA_CONVOLUTION_TILE(X, f16, Half, 128x128) \
  IPA_CONVOLUTION_TILE(X, f16, Half, 128x64)  \
  IPA_CONVOLUTION_TILE(X, f16, Half, 64x64)
#define IPA_CONVOLUTION_BF16(X)                  \
  IPA_CONVOLUTION_TILE(X, bf16, BFloat, 256x128) \
  IPA_CONVOLUTION_TILE(X, bf16, BFloat, 128x160) \
  IPA_CONVOLUTION_TILE(X, bf16, BFloat, 128x128) \
  IPA_CONVOLUTION_TILE(X, bf16, BFloat, 128x64)  \
  IPA_CONVOLUTION_TILE(X, bf16, BFloat, 64x64)
