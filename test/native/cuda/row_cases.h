#pragma once
// Cases of softmax.h, reduce.h and sinusoid.h.
#include <array>

#include "cuda/kernels/reduce.h"
#include "cuda/kernels/sinusoid.h"
#include "cuda/kernels/softmax.h"
#include "element_checks.h"

namespace ipa::cuda {

template <typename Out>
void softmax_case(int rows, int columns, float deviation, uint64_t seed, ThreadPool* pool, Failures& failures) {
  std::mt19937_64 random(seed);
  Tensor<float> x(static_cast<size_t>(rows) * columns);
  fill(x, random, deviation, 200);
  std::vector<double> reference(x.size());
  for (int r = 0; r < rows; ++r) {
    const float* const row = x.data() + static_cast<size_t>(r) * columns;
    const double highest = *std::max_element(row, row + columns);
    double total = 0;
    for (int c = 0; c < columns; ++c) total += std::exp(row[c] - highest);
    for (int c = 0; c < columns; ++c)
      reference[static_cast<size_t>(r) * columns + c] = std::exp(row[c] - highest) / total;
  }
  check_elements<Out>("softmax", seed, reference, {2e-6, 1e-3}, failures, [&](const emulator::Order& order, Out* out) {
    emulator::Launch launch = element_launch("softmax", order, pool);
    launch.threads = kSoftmaxThreads, launch.shared_bytes = kSoftmaxSharedBytes;
    emulator::launch(launch, softmax<Out>, SoftmaxArguments{x.data(), out, rows, columns});
  });
}

template <typename Out>
void softmax_cases(uint64_t seed, ThreadPool* pool, Failures& failures) {
  softmax_case<Out>(1, 1, 1, seed, pool, failures);
  softmax_case<Out>(7, 77, 3, seed + 1, pool, failures);
  softmax_case<Out>(5, 1029, 30, seed + 2, pool, failures);
}

inline void reduce_cases(uint64_t seed, ThreadPool* pool, Failures& failures) {
  std::mt19937_64 random(seed);
  for (const std::array<int, 3>& size : {std::array{2, 16, 77}, std::array{100, 9, 1}, std::array{1, 1, 3}}) {
    const int outer = size[0], count = size[1], inner = size[2];
    Tensor<float> x(static_cast<size_t>(outer) * count * inner);
    fill(x, random, 1, 3);
    x[x.size() / 2] = -4;
    for (int f = 0; f <= static_cast<int>(ReduceFunction::l2); ++f) {
      const auto function = static_cast<ReduceFunction>(f);
      std::vector<double> reference;
      for (int o = 0; o < outer; ++o)
        for (int i = 0; i < inner; ++i) {
          double sum = 0, squares = 0, highest = -1e30;
          for (int j = 0; j < count; ++j) {
            const double v = x[(static_cast<size_t>(o) * count + j) * inner + i];
            sum += v, squares += v * v, highest = std::max(highest, v);
          }
          const double results[] = {sum / count, sum, highest, std::sqrt(squares)};  // in the order of the functions
          reference.push_back(results[f]);
        }
      check_elements<float>("reduce " + std::to_string(f), seed, reference, {}, failures,
                            [&](const emulator::Order& order, float* out) {
                              emulator::launch(element_launch("reduce", order, pool), reduce,
                                               ReduceArguments{x.data(), out, outer, count, inner, function});
                            });
    }
  }
}

// As the naive twin computes it: f32 up to the angle.
inline void sinusoid_case(int half, int divisor, bool sin_first, uint64_t seed, ThreadPool* pool, Failures& failures) {
  std::mt19937_64 random(seed);
  Tensor<float> x(9);
  std::uniform_real_distribution<float> uniform(0, 1500);
  for (size_t i = 0; i < x.size(); ++i) x[i] = uniform(random);
  x[0] = 0, x[1] = 999;
  std::vector<double> reference(x.size() * 2 * half);
  for (size_t i = 0; i < x.size(); ++i)
    for (int j = 0; j < half; ++j) {
      const float exponent = -9.210340371976184f * static_cast<float>(j) / static_cast<float>(divisor);
      const double angle = x[i] * static_cast<float>(std::exp(static_cast<double>(exponent)));
      reference[i * 2 * half + j] = sin_first ? std::sin(angle) : std::cos(angle);
      reference[i * 2 * half + half + j] = sin_first ? std::cos(angle) : std::sin(angle);
    }
  check_elements<float>(
      "sinusoid", seed, reference, {1e-6, 1e-3}, failures, [&](const emulator::Order& order, float* out) {
        emulator::launch(element_launch("sinusoid", order, pool), sinusoid,
                         SinusoidArguments{x.data(), out, static_cast<int>(x.size()), half, divisor, sin_first});
      });
}

inline void sinusoid_cases(uint64_t seed, ThreadPool* pool, Failures& failures) {
  sinusoid_case(160, 160, false, seed, pool, failures);
  sinusoid_case(33, 32, true, seed + 1, pool, failures);
}

}  // namespace ipa::cuda
