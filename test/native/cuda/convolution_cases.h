#pragma once
// Cases of the convolutions against loops in f64; see kernel_cases.h.
#include "cuda/kernels/convolution.h"
#include "cuda/kernels/convolution_direct.h"
#include "cuda/kernels/convolution_doubled.h"
#include "cuda/packing.h"
#include "result_cases.h"

namespace ipa::cuda {

struct ConvolutionSize {
  int images, height, width, cin, cout;
  int kernel_h = 3, kernel_w = 3, stride_h = 1, stride_w = 1;
  int pad_top = 1, pad_left = 1, pad_bottom = 1, pad_right = 1;
  int dilation_h = 1, dilation_w = 1, virtual_h = 0, virtual_w = 0;  // 0: nothing is upsampled
  int slices = 1;
  ResultCase result = {};

  int from_h() const { return virtual_h ? virtual_h : height; }
  int from_w() const { return virtual_w ? virtual_w : width; }
  int out_h() const { return (from_h() + pad_top + pad_bottom - dilation_h * (kernel_h - 1) - 1) / stride_h + 1; }
  int out_w() const { return (from_w() + pad_left + pad_right - dilation_w * (kernel_w - 1) - 1) / stride_w + 1; }
  int rows() const { return images * out_h() * out_w(); }
  int depth() const { return kernel_h * kernel_w * cin; }
  std::string text() const {
    return std::to_string(images) + " of " + std::to_string(height) + " x " + std::to_string(width) + " x " +
           std::to_string(cin) + " to " + std::to_string(cout) + ", kernel " + std::to_string(kernel_h) + " x " +
           std::to_string(kernel_w) + ", stride " + std::to_string(stride_h) + ", in " + std::to_string(slices) +
           " slices";
  }
};

// The kernel's arguments have the same names for the same things.
template <typename Arguments>
void set_sizes(const ConvolutionSize& size, Arguments& to) {
  to.images = size.images, to.height = size.height, to.width = size.width, to.cin = size.cin, to.cout = size.cout;
  to.out_h = size.out_h(), to.out_w = size.out_w(), to.kernel_h = size.kernel_h, to.kernel_w = size.kernel_w;
  to.stride_h = size.stride_h, to.stride_w = size.stride_w, to.pad_top = size.pad_top, to.pad_left = size.pad_left;
  to.dilation_h = size.dilation_h, to.dilation_w = size.dilation_w;
}

// x and weights as the file has them, [cout][cin][kernel_h kernel_w], and the sums [rows][cout] in f64.
template <typename Operand>
struct ConvolutionGiven {
  Tensor<Operand> x, file;
  std::vector<double> sums;

  ConvolutionGiven(const ConvolutionSize& size, std::mt19937_64& random)
      : x(static_cast<size_t>(size.images) * size.height * size.width * size.cin),
        file(static_cast<size_t>(size.cout) * size.depth()),
        sums(static_cast<size_t>(size.rows()) * size.cout) {
    fill(x, random, 1), fill(file, random, 1 / std::sqrt(static_cast<float>(size.depth())));
    const int taps = size.kernel_h * size.kernel_w;
    std::vector<double> wide(x.size()), weights(file.size());  // weights: [tap][cin][cout]
    for (size_t i = 0; i < x.size(); ++i) wide[i] = value(x[i]);
    for (size_t i = 0; i < file.size(); ++i) {
      const size_t row = i / size.depth(), channel = i % size.depth() / taps, tap = i % taps;
      weights[(tap * size.cin + channel) * size.cout + row] = value(file[i]);
    }
    for (int row = 0; row < size.rows(); ++row) {
      const int line = row / size.out_w(), image = line / size.out_h();
      for (int tap = 0; tap < taps; ++tap) {
        const int y = line % size.out_h() * size.stride_h - size.pad_top + tap / size.kernel_w * size.dilation_h;
        const int column = row % size.out_w();
        const int left = column * size.stride_w - size.pad_left + tap % size.kernel_w * size.dilation_w;
        if (y < 0 || left < 0 || y >= size.from_h() || left >= size.from_w()) continue;
        const int place =
            (image * size.height + y * size.height / size.from_h()) * size.width + left * size.width / size.from_w();
        double* const to = &sums[static_cast<size_t>(row) * size.cout];
        for (int c = 0; c < size.cin; ++c) {
          const double number = wide[static_cast<size_t>(place) * size.cin + c];
          const double* const of_channel = &weights[(static_cast<size_t>(tap) * size.cin + c) * size.cout];
          for (int n = 0; n < size.cout; ++n) to[n] += number * of_channel[n];
        }
      }
    }
  }

  PackArguments packing(const ConvolutionSize& size, void* to) const {
    constexpr DType kType = std::is_same_v<Operand, Half>     ? DType::f16
                            : std::is_same_v<Operand, BFloat> ? DType::bf16
                                                              : DType::f32;
    return {file.data(), kType, to, kType, size.cout, size.cin, size.kernel_h * size.kernel_w, size.result.geglu};
  }
};

template <typename Operand, typename Out, typename Tile>
void convolution_case(const ConvolutionSize& size, uint64_t seed, ThreadPool* pool, Failures& failures) {
  std::mt19937_64 random(seed);
  ConvolutionGiven<Operand> given(size, random);
  Tensor<Operand> weights(given.file.size());
  pack_rows(given.packing(size, weights.data()));
  ResultGiven result(size.result, size.rows(), size.cout, size.out_h() * size.out_w(), random);

  const std::span<const std::byte> readable[] = {given.x.bytes(), weights.bytes()};
  const emulator::Grid grid{static_cast<uint32_t>((size.cout + Tile::kN - 1) / Tile::kN),
                            static_cast<uint32_t>((size.rows() + Tile::kM - 1) / Tile::kM),
                            static_cast<uint32_t>(size.slices)};
  SplitGiven split(size.slices, size.rows(), size.cout, grid);
  const std::string what = std::string("convolution ") + kName<Operand> + " to " + kName<Out> + ", " + size.text();
  run_orders<Out>(
      what, seed, result.reference(given.sums),
      [&](const emulator::Order& order, Out* out) {
        emulator::Launch launch;
        launch.kernel = "convolution";
        launch.grid = grid;
        launch.threads = Tile::kThreads;
        launch.shared_bytes = Tile::kSharedBytes;
        launch.order = order, launch.pool = pool, launch.readable = readable;
        ConvolutionArguments arguments{};
        arguments.x = given.x.data(), arguments.weights = weights.data();
        arguments.result = result.arguments(out, Tile::kM), arguments.split = split.arguments();
        set_sizes(size, arguments);
        arguments.virtual_h = size.from_h(), arguments.virtual_w = size.from_w();
        emulator::launch(launch, convolution<Operand, Out, Tile>, arguments);
      },
      failures);
  if (!given.x.intact() || !weights.intact() || !result.intact()) failures.push_back(what + ": wrote outside an input");
  if (!split.intact()) failures.push_back(what + ": arrivals are not back at zero, or wrote outside them or the sums");
}

template <typename Out>
void convolution_direct_case(const ConvolutionSize& size, uint64_t seed, ThreadPool* pool, Failures& failures) {
  std::mt19937_64 random(seed);
  ConvolutionGiven<float> given(size, random);
  Tensor<float> weights(given.file.size());
  pack_columns(given.packing(size, weights.data()));
  ResultGiven result(size.result, size.rows(), size.cout, size.out_h() * size.out_w(), random);
  const std::string what = std::string("convolution_direct to ") + kName<Out> + ", " + size.text();
  run_orders<Out>(
      what, seed, result.reference(given.sums),
      [&](const emulator::Order& order, Out* out) {
        emulator::Launch launch;
        launch.kernel = "convolution_direct";
        launch.grid = {
            static_cast<uint32_t>((static_cast<int64_t>(size.rows()) * size.cout + kConvolutionDirectThreads - 1) /
                                  kConvolutionDirectThreads)};
        launch.threads = kConvolutionDirectThreads;
        launch.order = order, launch.pool = pool;
        ConvolutionDirectArguments arguments{};
        arguments.x = given.x.data(), arguments.weights = weights.data(), arguments.result = result.arguments(out, 0);
        set_sizes(size, arguments);
        emulator::launch(launch, convolution_direct<Out>, arguments);
      },
      failures);
  if (!given.x.intact() || !weights.intact() || !result.intact()) failures.push_back(what + ": wrote outside an input");
}

// `size` is what it stands for: kernel 3x3, padding 1, virtual sizes twice the others.
template <typename Operand, typename Tile>
void convolution_doubled_case(const ConvolutionSize& size, uint64_t seed, ThreadPool* pool, Failures& failures) {
  std::mt19937_64 random(seed);
  ConvolutionGiven<Operand> given(size, random);
  Tensor<Operand> weights(given.file.size() / 9 * 16);
  pack_doubled(given.packing(size, weights.data()));
  ResultGiven result(size.result, size.rows(), size.cout, size.out_h() * size.out_w(), random);

  const std::span<const std::byte> readable[] = {given.x.bytes(), weights.bytes()};
  const int pixels = size.images * size.height * size.width;
  const emulator::Grid grid{4 * static_cast<uint32_t>((size.cout + Tile::kN - 1) / Tile::kN),
                            static_cast<uint32_t>((pixels + Tile::kM - 1) / Tile::kM),
                            static_cast<uint32_t>(size.slices)};
  SplitGiven split(size.slices, 4 * pixels, size.cout, grid);
  const std::string what = std::string("convolution_doubled ") + kName<Operand> + ", " + size.text();
  run_orders<float>(
      what, seed, result.reference(given.sums),
      [&](const emulator::Order& order, float* out) {
        emulator::Launch launch;
        launch.kernel = "convolution_doubled";
        launch.grid = grid;
        launch.threads = Tile::kThreads;
        launch.shared_bytes = Tile::kSharedBytes;
        launch.order = order, launch.pool = pool, launch.readable = readable;
        ConvolutionArguments arguments{};
        arguments.x = given.x.data(), arguments.weights = weights.data();
        arguments.result = result.arguments(out, Tile::kM), arguments.split = split.arguments();
        arguments.result.line = size.width, arguments.result.rows_per_image = size.height * size.width;
        set_sizes(size, arguments);
        arguments.kernel_h = arguments.kernel_w = 2;
        arguments.out_h = arguments.virtual_h = size.height, arguments.out_w = arguments.virtual_w = size.width;
        emulator::launch(launch, convolution_doubled<Operand, Tile>, arguments);
      },
      failures, kLimit<Operand>);  // sums of taps are rounded to operands once more
  if (!given.x.intact() || !weights.intact() || !result.intact()) failures.push_back(what + ": wrote outside an input");
  if (!split.intact()) failures.push_back(what + ": arrivals are not back at zero, or wrote outside them or the sums");
}

// Channels that end within a step, odd numbers of pixels, images that meet within a tile, taps outside on every side.
inline const ConvolutionSize kConvolutionSizes[] = {
    {.images = 3, .height = 5, .width = 7, .cin = 8, .cout = 24, .result = kAllSilu},
    {.images = 1, .height = 9, .width = 6, .cin = 40, .cout = 65, .result = kBias},
    {.images = 2,
     .height = 9,
     .width = 7,
     .cin = 24,
     .cout = 16,
     .stride_h = 2,
     .stride_w = 2,
     .pad_top = 0,
     .pad_left = 0,
     .result = kAll},  // the VAE's way down: padding below and on the right alone
    {.images = 2, .height = 4, .width = 3, .cin = 16, .cout = 32, .virtual_h = 8, .virtual_w = 6, .result = kBias},
    {.images = 1, .height = 5, .width = 4, .cin = 16, .cout = 8, .virtual_h = 8, .virtual_w = 7, .result = kShared},
    {.images = 1,
     .height = 11,
     .width = 10,
     .cin = 16,
     .cout = 40,
     .kernel_h = 2,
     .kernel_w = 4,
     .stride_h = 3,
     .pad_top = 2,
     .pad_left = 0,
     .pad_bottom = 1,
     .pad_right = 3,
     .dilation_h = 2,
     .dilation_w = 3,
     .result = kGelu},
    {.images = 2,
     .height = 6,
     .width = 5,
     .cin = 72,
     .cout = 48,
     .kernel_h = 1,
     .kernel_w = 1,
     .pad_top = 0,
     .pad_left = 0,
     .pad_bottom = 0,
     .pad_right = 0,
     .result = kGeglu},
    {.images = 2, .height = 5, .width = 5, .cin = 56, .cout = 26, .slices = 3, .result = kAllSilu},
};
inline const ConvolutionSize kConvolutionTileSizes[] = {
    {.images = 2, .height = 13, .width = 11, .cin = 24, .cout = 170, .slices = 2, .result = kAll}};
inline const ConvolutionSize kConvolutionDirectSizes[] = {
    {.images = 2, .height = 9, .width = 7, .cin = 4, .cout = 40, .result = kBias},
    {.images = 3, .height = 8, .width = 9, .cin = 33, .cout = 3, .result = kAllSilu},
    {.images = 1,
     .height = 7,
     .width = 8,
     .cin = 3,
     .cout = 5,
     .kernel_h = 2,
     .kernel_w = 4,
     .stride_h = 3,
     .pad_top = 2,
     .pad_left = 0,
     .pad_bottom = 1,
     .pad_right = 3,
     .dilation_h = 2,
     .dilation_w = 1,
     .result = kAll},
    {.images = 2,
     .height = 28,
     .width = 43,
     .cin = 3,
     .cout = 16,
     .kernel_h = 14,
     .kernel_w = 14,
     .stride_h = 14,
     .stride_w = 14,
     .pad_top = 0,
     .pad_left = 0,
     .pad_bottom = 0,
     .pad_right = 0},
};

template <typename Operand, typename Out, typename Tile>
void convolution_cases(uint64_t seed, ThreadPool* pool, Failures& failures) {
  for (const ConvolutionSize& size : kConvolutionSizes)
    convolution_case<Operand, Out, Tile>(size, seed++, pool, failures);
}

template <typename Operand, typename Out, typename Tile>
void convolution_tile_cases(uint64_t seed, ThreadPool* pool, Failures& failures) {
  for (const ConvolutionSize& size : kConvolutionTileSizes)
    convolution_case<Operand, Out, Tile>(size, seed++, pool, failures);
}

// One pixel, one line, one column; lines that end within a strip, several in one; images that meet within a tile.
inline const ConvolutionSize kConvolutionDoubledSizes[] = {
    {.images = 1, .height = 1, .width = 1, .cin = 8, .cout = 8, .virtual_h = 2, .virtual_w = 2},
    {.images = 2, .height = 1, .width = 5, .cin = 8, .cout = 24, .virtual_h = 2, .virtual_w = 10, .result = kAllSilu},
    {.images = 3, .height = 7, .width = 1, .cin = 16, .cout = 16, .virtual_h = 14, .virtual_w = 2, .result = kAll},
    {.images = 3, .height = 5, .width = 7, .cin = 24, .cout = 72, .virtual_h = 10, .virtual_w = 14, .result = kAll},
    {.images = 1, .height = 3, .width = 37, .cin = 40, .cout = 8, .virtual_h = 6, .virtual_w = 74, .result = kBias},
    {.images = 2,
     .height = 9,
     .width = 5,
     .cin = 56,
     .cout = 26,
     .virtual_h = 18,
     .virtual_w = 10,
     .slices = 3,
     .result = kAllSilu},
};
inline const ConvolutionSize kConvolutionDoubledTileSizes[] = {{.images = 2,
                                                                .height = 13,
                                                                .width = 11,
                                                                .cin = 24,
                                                                .cout = 170,
                                                                .virtual_h = 26,
                                                                .virtual_w = 22,
                                                                .slices = 2,
                                                                .result = kAll}};

template <typename Operand, typename Tile>
void convolution_doubled_cases(uint64_t seed, ThreadPool* pool, Failures& failures) {
  for (const ConvolutionSize& size : kConvolutionDoubledSizes)
    convolution_doubled_case<Operand, Tile>(size, seed++, pool, failures);
}

template <typename Operand, typename Tile>
void convolution_doubled_tile_cases(uint64_t seed, ThreadPool* pool, Failures& failures) {
  for (const ConvolutionSize& size : kConvolutionDoubledTileSizes)
    convolution_doubled_case<Operand, Tile>(size, seed++, pool, failures);
}

template <typename Out>
void convolution_direct_cases(uint64_t seed, ThreadPool* pool, Failures& failures) {
  for (const ConvolutionSize& size : kConvolutionDirectSizes)
    convolution_direct_case<Out>(size, seed++, pool, failures);
}

}  // namespace ipa::cuda
