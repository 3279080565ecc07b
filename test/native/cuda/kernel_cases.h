#pragma once
// The cases of every kernel against loops in f64, in three orders of warps. Used by the native tests and by the program
// that must notice planted defects (defects.cpp); failures come back as texts.
#include "core/error.h"
#include "cuda/kernels/layer_norm.h"
#include "cuda/kernels/product.h"
#include "tensors.h"

namespace ipa::cuda {

// One launch per order: must not throw, must leave the zones alone, must be close, must give the same bits.
template <typename Out, typename Launch>
void run_orders(const std::string& what, uint64_t seed, const std::vector<double>& reference, Launch&& launch,
                Failures& failures) {
  std::vector<std::byte> first;
  for (const auto& [name, order] : all_orders(seed)) {
    const std::string where = what + ", " + name + ", IPA_TEST_SEED=" + std::to_string(seed);
    Tensor<Out> out(reference.size());
    try {
      launch(order, out.data());
    } catch (const Error& e) {
      failures.push_back(where + ": " + e.what());
      continue;
    }
    if (!out.intact()) failures.push_back(where + ": wrote outside its output");
    const double error = relative_error(out, reference);
    if (!(error <= kLimit<Out>)) failures.push_back(where + ": error " + std::to_string(error));
    const std::vector<std::byte> bytes(out.bytes().begin(), out.bytes().end());
    if (first.empty()) first = bytes;
    if (first != bytes) failures.push_back(where + ": other bits than in the first order");
  }
}

struct ProductSize {
  int m, n, k;
  bool bias;
};

template <typename Operand, typename Out, typename Tile>
void product_case(const ProductSize& size, uint64_t seed, ThreadPool* pool, Failures& failures) {
  const int m = size.m, n = size.n, k = size.k;
  std::mt19937_64 random(seed);
  Tensor<Operand> a(static_cast<size_t>(m) * k), w(static_cast<size_t>(n) * k);
  Tensor<float> bias(n);
  fill(a, random, 1), fill(w, random, 1 / std::sqrt(static_cast<float>(k))), fill(bias, random, 1);

  std::vector<double> wide(w.size()), row(k), reference(static_cast<size_t>(m) * n);
  for (size_t i = 0; i < w.size(); ++i) wide[i] = value(w[i]);
  for (int i = 0; i < m; ++i) {
    for (int x = 0; x < k; ++x) row[x] = value(a[static_cast<size_t>(i) * k + x]);
    for (int j = 0; j < n; ++j) {
      double sum = size.bias ? bias[j] : 0;
      for (int x = 0; x < k; ++x) sum += row[x] * wide[static_cast<size_t>(j) * k + x];
      reference[static_cast<size_t>(i) * n + j] = sum;
    }
  }

  const std::span<const std::byte> readable[] = {a.bytes(), w.bytes()};
  const std::string what = std::string("product ") + kName<Operand> + " to " + kName<Out> + ", " + std::to_string(m) +
                           " x " + std::to_string(n) + " x " + std::to_string(k);
  run_orders<Out>(
      what, seed, reference,
      [&](const emulator::Order& order, Out* out) {
        emulator::Launch launch;
        launch.kernel = "product";
        launch.grid = {static_cast<uint32_t>((n + Tile::kN - 1) / Tile::kN),
                       static_cast<uint32_t>((m + Tile::kM - 1) / Tile::kM)};
        launch.threads = Tile::kThreads;
        launch.shared_bytes = Tile::kSharedBytes;
        launch.order = order, launch.pool = pool, launch.readable = readable;
        const ProductArguments arguments{a.data(), w.data(), size.bias ? bias.data() : nullptr, out, m, n, k};
        emulator::launch(launch, product<Operand, Out, Tile>, arguments);
      },
      failures);
  if (!a.intact() || !w.intact() || !bias.intact()) failures.push_back(what + ": wrote outside an input");
}

// Sizes that fill no tile, fewer steps than stages, odd columns, one row.
inline const ProductSize kProductSizes[] = {{1, 1, 8, true},      {1, 64, 32, false},   {77, 72, 40, true},
                                            {200, 136, 72, true}, {130, 65, 264, true}, {64, 130, 96, false}};

template <typename Operand, typename Out, typename Tile>
void product_cases(uint64_t seed, ThreadPool* pool, Failures& failures) {
  for (const ProductSize& size : kProductSizes) product_case<Operand, Out, Tile>(size, seed++, pool, failures);
}

template <typename Out, int kPerLane>
void layer_norm_case(int rows, int columns, uint64_t seed, ThreadPool* pool, Failures& failures) {
  std::mt19937_64 random(seed);
  Tensor<float> x(static_cast<size_t>(rows) * columns), gamma(columns), beta(columns);
  fill(x, random, 3, 10), fill(gamma, random, 1), fill(beta, random, 1);
  if (rows > 1)  // a row without variance: beta is what remains
    for (int c = 0; c < columns; ++c) x[c] = 2;
  constexpr float kEpsilon = 1e-5f;

  std::vector<double> reference(x.size());
  for (int r = 0; r < rows; ++r) {
    const float* const row = x.data() + static_cast<size_t>(r) * columns;
    double mean = 0, variance = 0;
    for (int c = 0; c < columns; ++c) mean += row[c] / static_cast<double>(columns);
    for (int c = 0; c < columns; ++c) variance += (row[c] - mean) * (row[c] - mean) / columns;
    for (int c = 0; c < columns; ++c)
      reference[static_cast<size_t>(r) * columns + c] =
          (row[c] - mean) / std::sqrt(variance + static_cast<double>(kEpsilon)) * gamma[c] + beta[c];
  }

  const std::string what =
      std::string("layer_norm to ") + kName<Out> + ", " + std::to_string(rows) + " x " + std::to_string(columns);
  run_orders<Out>(
      what, seed, reference,
      [&](const emulator::Order& order, Out* out) {
        emulator::Launch launch;
        launch.kernel = "layer_norm";
        launch.grid = {static_cast<uint32_t>((rows + kLayerNormWarps - 1) / kLayerNormWarps)};
        launch.threads = kLayerNormThreads;
        launch.order = order, launch.pool = pool;
        const LayerNormArguments arguments{x.data(), gamma.data(), beta.data(), out, rows, columns, kEpsilon};
        emulator::launch(launch, layer_norm<Out, kPerLane>, arguments);
      },
      failures);
  if (!x.intact() || !gamma.intact() || !beta.intact()) failures.push_back(what + ": wrote outside an input");
}

template <typename Out>
void layer_norm_cases(uint64_t seed, ThreadPool* pool, Failures& failures) {
  layer_norm_case<Out, 10>(1, 7, seed, pool, failures);
  layer_norm_case<Out, 10>(5, 320, seed + 1, pool, failures);
  layer_norm_case<Out, 10>(77, 33, seed + 2, pool, failures);
  layer_norm_case<Out, 20>(30, 640, seed + 3, pool, failures);
  layer_norm_case<Out, 40>(9, 1279, seed + 4, pool, failures);
}

}  // namespace ipa::cuda
