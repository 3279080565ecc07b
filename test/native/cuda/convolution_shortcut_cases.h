#pragma once
// Cases of convolutions with a shortcut against loops in f64; see kernel_cases.h.
#include "convolution_cases.h"
#include "cuda/kernels/convolution_shortcut.h"

namespace ipa::cuda {

// With a shortcut of `depth` channels along K, whose sums are added to the convolution's.
template <typename Operand, typename Tile>
void convolution_shortcut_case(const ConvolutionSize& size, int depth, uint64_t seed, ThreadPool* pool,
                               Failures& failures) {
  std::mt19937_64 random(seed);
  ConvolutionGiven<Operand> given(size, random);
  Tensor<Operand> weights(given.file.size()), x(static_cast<size_t>(size.rows()) * depth),
      w(static_cast<size_t>(size.cout) * depth);
  pack_rows(given.packing(size, weights.data()));
  fill(x, random, 1), fill(w, random, 1 / std::sqrt(static_cast<float>(depth)));
  ResultGiven result(size.result, size.rows(), size.cout, size.out_h() * size.out_w(), random);
  std::vector<double> sums = given.sums;
  for (size_t i = 0; i < sums.size(); ++i)
    for (int k = 0; k < depth; ++k)
      sums[i] += value(x[i / size.cout * depth + k]) * value(w[i % size.cout * depth + k]);

  const std::span<const std::byte> readable[] = {given.x.bytes(), weights.bytes(), x.bytes(), w.bytes()};
  const emulator::Grid grid{static_cast<uint32_t>((size.cout + Tile::kN - 1) / Tile::kN),
                            static_cast<uint32_t>((size.rows() + Tile::kM - 1) / Tile::kM),
                            static_cast<uint32_t>(size.slices)};
  SplitGiven split(size.slices, size.rows(), size.cout, grid);
  const std::string what =
      std::string("convolution_shortcut ") + kName<Operand> + ", " + size.text() + ", depth " + std::to_string(depth);
  const std::vector<double> reference = result.reference(sums);
  run_orders<float>(
      what, seed, reference,
      [&](const emulator::Order& order, float* out) {
        emulator::Launch launch;
        launch.kernel = "convolution_shortcut";
        launch.grid = grid;
        launch.threads = Tile::kThreads;
        launch.shared_bytes = Tile::kSharedBytes;
        launch.order = order, launch.pool = pool, launch.readable = readable;
        ConvolutionShortcutArguments arguments{};
        arguments.convolution.x = given.x.data(), arguments.convolution.weights = weights.data();
        arguments.convolution.result = result.arguments(out, Tile::kM), arguments.convolution.split = split.arguments();
        set_sizes(size, arguments.convolution);
        arguments.convolution.virtual_h = size.from_h(), arguments.convolution.virtual_w = size.from_w();
        arguments.shortcut = x.data(), arguments.weights = w.data(), arguments.depth = depth;
        emulator::launch(launch, convolution_shortcut<Operand, Tile>, arguments);
        if (const std::string wrong = result.wrong_moments(reference, result.moment_rows(Tile::kM)); !wrong.empty())
          failures.push_back(what + wrong);
      },
      failures);
  if (!given.x.intact() || !weights.intact() || !x.intact() || !w.intact() || !result.intact())
    failures.push_back(what + ": wrote outside an input");
  if (!split.intact()) failures.push_back(what + ": arrivals are not back at zero, or wrote outside them or the sums");
}

// Taps and shortcuts that end within a step; slices that end before, at and after the seam, and some with nothing.
template <typename Operand, typename Tile>
void convolution_shortcut_cases(uint64_t seed, ThreadPool* pool, Failures& failures) {
  const auto one = [&](const ConvolutionSize& size, int depth) {
    convolution_shortcut_case<Operand, Tile>(size, depth, seed++, pool, failures);
  };
  one({.images = 3, .height = 5, .width = 7, .cin = 8, .cout = 24, .result = kBias}, 40);
  one({.images = 1, .height = 9, .width = 15, .cin = 40, .cout = 66, .result = kShared}, 8);
  one({.images = 1, .height = 10, .width = 13, .cin = 16, .cout = 72, .slices = 3, .result = kTileMoments}, 168);
  one({.images = 2, .height = 8, .width = 8, .cin = 8, .cout = 160, .slices = 8, .result = kMoments}, 56);
}

}  // namespace ipa::cuda
