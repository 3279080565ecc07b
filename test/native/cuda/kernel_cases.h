#pragma once
// The cases of every kernel against loops in f64, in three orders of warps. Used by the native tests and by the program
// that must notice planted defects (defects.cpp); failures come back as texts.
#include "core/error.h"
#include "cuda/kernels/layer_norm_long.h"
#include "tensors.h"

namespace ipa::cuda {

// One launch per order: must not throw, must leave the zones alone, must be close, must give the same bits.
template <typename Out, typename Launch>
void run_orders(const std::string& what, uint64_t seed, const std::vector<double>& reference, Launch&& launch,
                Failures& failures, double limit = kLimit<Out>) {
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
    if (!(error <= limit)) failures.push_back(where + ": error " + std::to_string(error));
    const std::vector<std::byte> bytes(out.bytes().begin(), out.bytes().end());
    if (first.empty()) first = bytes;
    if (first != bytes) failures.push_back(where + ": other bits than in the first order");
  }
}

// kPerLane 0: the looping form
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
        if constexpr (kPerLane > 0)
          emulator::launch(launch, layer_norm<Out, kPerLane>, arguments);
        else
          emulator::launch(launch, layer_norm_long<Out>, arguments);
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
  layer_norm_case<Out, 32>(5, 768, seed + 5, pool, failures);  // those of CLIP
  layer_norm_case<Out, 32>(3, 1024, seed + 6, pool, failures);
  layer_norm_case<Out, 40>(5, 1280, seed + 7, pool, failures);
  layer_norm_case<Out, 64>(5, 1664, seed + 8, pool, failures);
  layer_norm_case<Out, 64>(3, 2048, seed + 9, pool, failures);
  layer_norm_case<Out, 0>(5, 2061, seed + 10, pool, failures);
  layer_norm_case<Out, 0>(3, 31, seed + 11, pool, failures);
}

}  // namespace ipa::cuda
