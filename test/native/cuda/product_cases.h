#pragma once
// Cases of the matrix product against loops in f64; see kernel_cases.h.
#include "cuda/kernels/product.h"
#include "cuda/packing.h"
#include "result_cases.h"

namespace ipa::cuda {

struct ProductSize {
  int m, n, k, slices;
  ResultCase result;
  int parts = 1;
};

// A weight and what happens to its sums, and what should come of it.
template <typename Operand>
struct PartGiven {
  Tensor<Operand> w;
  ResultGiven result;
  std::vector<double> reference;

  PartGiven(const ProductSize& size, const Tensor<Operand>& a, std::mt19937_64& random)
      : w(static_cast<size_t>(size.n) * size.k),
        result(size.result, size.m, size.n, size.m > 2 ? (size.m + 2) / 3 : 1, random) {  // 3 images, the last cut off
    const int m = size.m, n = size.n, k = size.k;
    fill(w, random, 1 / std::sqrt(static_cast<float>(k)));
    // w is what is packed: its row i is row geglu_row(i, n) of the file.
    std::vector<double> wide(w.size()), row(k), sums(static_cast<size_t>(m) * n);
    for (size_t i = 0; i < w.size(); ++i) wide[i] = value(w[i]);
    for (int i = 0; i < m; ++i) {
      for (int x = 0; x < k; ++x) row[x] = value(a[static_cast<size_t>(i) * k + x]);
      for (int j = 0; j < n; ++j) {
        double sum = 0;
        for (int x = 0; x < k; ++x) sum += row[x] * wide[static_cast<size_t>(j) * k + x];
        sums[static_cast<size_t>(i) * n + (size.result.geglu ? geglu_row(j, n) : j)] = sum;
      }
    }
    reference = result.reference(sums);
  }
};

template <typename Operand, typename Out, typename Tile>
void product_case(const ProductSize& size, uint64_t seed, ThreadPool* pool, Failures& failures) {
  const int m = size.m, n = size.n, k = size.k;
  std::mt19937_64 random(seed);
  Tensor<Operand> a(static_cast<size_t>(m) * k);
  fill(a, random, 1);
  std::vector<std::unique_ptr<PartGiven<Operand>>> parts;
  std::vector<std::span<const std::byte>> readable = {a.bytes()};
  std::vector<double> reference;  // of all parts, whose results lie one behind the other
  for (int i = 0; i < size.parts; ++i) {
    parts.push_back(std::make_unique<PartGiven<Operand>>(size, a, random));
    readable.push_back(parts.back()->w.bytes());
    reference.insert(reference.end(), parts.back()->reference.begin(), parts.back()->reference.end());
  }

  const emulator::Grid grid{static_cast<uint32_t>(size.parts * ((n + Tile::kN - 1) / Tile::kN)),
                            static_cast<uint32_t>((m + Tile::kM - 1) / Tile::kM), static_cast<uint32_t>(size.slices)};
  SplitGiven split(size.slices, size.parts * m, n, grid);
  const std::string what = std::string("product ") + kName<Operand> + " to " + kName<Out> + ", " + std::to_string(m) +
                           " x " + std::to_string(size.parts) + " times " + std::to_string(n) + " x " +
                           std::to_string(k) + " in " + std::to_string(size.slices) + " slices";
  run_orders<Out>(
      what, seed, reference,
      [&](const emulator::Order& order, Out* out) {
        emulator::Launch launch;
        launch.kernel = "product";
        launch.grid = grid;
        launch.threads = Tile::kThreads;
        launch.shared_bytes = Tile::kSharedBytes;
        launch.order = order, launch.pool = pool, launch.readable = readable;
        ProductArguments arguments{};
        arguments.a = a.data(), arguments.split = split.arguments();
        arguments.m = m, arguments.n = n, arguments.k = k;
        for (int i = 0; i < size.parts; ++i)
          arguments.parts[i] = {parts[i]->w.data(),
                                parts[i]->result.arguments(out + parts[0]->reference.size() * i, Tile::kM)};
        emulator::launch(launch, product<Operand, Out, Tile>, arguments);
        for (const auto& part : parts) {
          ResultGiven& result = part->result;
          const std::string wrong = result.wrong_moments(part->reference, result.moment_rows(Tile::kM));
          if (!wrong.empty()) failures.push_back(what + wrong);
        }
      },
      failures);
  bool intact = a.intact();
  for (const auto& part : parts) intact = part->w.intact() && part->result.intact() && intact;
  if (!intact) failures.push_back(what + ": wrote outside an input");
  if (!split.intact()) failures.push_back(what + ": arrivals are not back at zero, or wrote outside them or the sums");
}

// Sizes that fill no tile, fewer steps than stages, odd columns, one row; more slices than steps.
inline const ProductSize kProductSizes[] = {
    {1, 1, 8, 1, kBias},         {1, 64, 32, 1, kPlain},      {77, 72, 40, 1, kAll},
    {200, 136, 72, 1, kAllSilu}, {130, 65, 264, 1, kAllSilu}, {64, 130, 96, 1, kShared},
    {33, 96, 64, 1, kGegluAll},  {19, 24, 168, 3, kAll},      {70, 144, 96, 2, kGeglu},
    {2, 160, 64, 4, kQuickGelu}, {70, 72, 40, 1, kBias, 2},   {66, 136, 104, 3, kAllSilu, 3},
};
// What differs from tile to tile.
inline const ProductSize kTileSizes[] = {
    {270, 168, 40, 1, kAll}, {130, 65, 104, 1, kGelu}, {20, 176, 72, 1, kGegluAll}, {140, 162, 80, 2, kAllSilu, 2}};

// Results whose moments are wanted: tiles and slices that end early, pairs that no tile fits.
inline const ProductSize kMomentSizes[] = {
    {300, 70, 40, 1, kMoments}, {150, 166, 104, 2, kTileMoments}, {128, 24, 32, 1, kMoments}};

template <typename Operand, typename Tile>
void product_moment_cases(uint64_t seed, ThreadPool* pool, Failures& failures) {
  for (const ProductSize& size : kMomentSizes) product_case<Operand, float, Tile>(size, seed++, pool, failures);
}

template <typename Operand, typename Out, typename Tile>
void product_cases(uint64_t seed, ThreadPool* pool, Failures& failures) {
  for (const ProductSize& size : kProductSizes) product_case<Operand, Out, Tile>(size, seed++, pool, failures);
}

template <typename Operand, typename Out, typename Tile>
void product_tile_cases(uint64_t seed, ThreadPool* pool, Failures& failures) {
  for (const ProductSize& size : kTileSizes) product_case<Operand, Out, Tile>(size, seed++, pool, failures);
}

}  // namespace ipa::cuda
