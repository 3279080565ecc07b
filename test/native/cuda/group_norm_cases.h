#pragma once
// Cases of group_norm, as kernel_cases.h has those of the others.
#include "cuda/kernels/group_norm.h"
#include "kernel_cases.h"

namespace ipa::cuda {

struct GroupNormSize {
  int images, pixels, channels, groups;
  int slab_pixels, block_pixels;  // how a launch cuts them
  bool silu;
};

inline std::vector<double> group_norm_reference(const GroupNormSize& size, float epsilon, const float* x,
                                                const float* gamma, const float* beta) {
  const int width = size.channels / size.groups;
  std::vector<double> result(static_cast<size_t>(size.images) * size.pixels * size.channels);
  for (int n = 0; n < size.images; ++n)
    for (int group = 0; group < size.groups; ++group) {
      const auto each = [&](auto&& f) {
        for (int p = 0; p < size.pixels; ++p)
          for (int c = group * width; c < (group + 1) * width; ++c)
            f((static_cast<size_t>(n) * size.pixels + p) * size.channels + c, c);
      };
      const double count = static_cast<double>(size.pixels) * width;
      double mean = 0, variance = 0;
      each([&](size_t at, int) { mean += x[at] / count; });
      each([&](size_t at, int) { variance += (x[at] - mean) * (x[at] - mean) / count; });
      each([&](size_t at, int c) {
        const double y = (x[at] - mean) / std::sqrt(variance + static_cast<double>(epsilon)) * gamma[c] + beta[c];
        result[at] = size.silu ? y / (1 + std::exp(-y)) : y;
      });
    }
  return result;
}

template <typename Out, int kWide>
void group_norm_case(const GroupNormSize& size, uint64_t seed, ThreadPool* pool, Failures& failures) {
  std::mt19937_64 random(seed);
  const size_t image = static_cast<size_t>(size.pixels) * size.channels;
  Tensor<float> x(size.images * image), gamma(size.channels), beta(size.channels);
  fill(x, random, 3, 10), fill(gamma, random, 1), fill(beta, random, 1);
  const int width = size.channels / size.groups;
  for (int p = 0; p < size.pixels; ++p)  // a group without variance, and channels far apart in the last image
    for (int c = 0; c < width; ++c) x[static_cast<size_t>(p) * size.channels + c] = 2;
  for (size_t i = (size.images - 1) * image; i < x.size(); ++i) x[i] += static_cast<float>(i % size.channels % 7 * 20);
  constexpr float kEpsilon = 1e-5f;
  const std::vector<double> reference = group_norm_reference(size, kEpsilon, x.data(), gamma.data(), beta.data());

  const int slabs = (size.pixels + size.slab_pixels - 1) / size.slab_pixels;
  const std::string what = std::string("group_norm to ") + kName<Out> + ", " + std::to_string(size.images) + " x " +
                           std::to_string(size.pixels) + " x " + std::to_string(size.channels) + ", " +
                           std::to_string(size.groups) + " groups";
  run_orders<Out>(
      what, seed, reference,
      [&](const emulator::Order& order, Out* out) {
        Tensor<GroupMoments> parts(static_cast<size_t>(size.images) * slabs * size.groups);
        const GroupNormArguments arguments{x.data(),          gamma.data(),  beta.data(), parts.data(),     out,
                                           size.pixels,       size.channels, size.groups, size.slab_pixels, slabs,
                                           size.block_pixels, kEpsilon,      size.silu};
        emulator::Launch launch;
        launch.kernel = "group_statistics", launch.order = order, launch.pool = pool;
        launch.threads = kGroupNormThreads;
        launch.grid = {static_cast<uint32_t>(slabs), static_cast<uint32_t>(size.images)};
        launch.shared_bytes = group_statistics_shared_bytes(size.channels);
        emulator::launch(launch, group_statistics, arguments);
        if (!parts.intact()) failures.push_back(what + ": wrote outside its parts");
        launch.kernel = "group_norm";
        launch.grid.x = static_cast<uint32_t>((size.pixels + size.block_pixels - 1) / size.block_pixels);
        launch.shared_bytes = group_norm_shared_bytes(size.groups);
        emulator::launch(launch, group_norm<Out, kWide>, arguments);
      },
      failures);
  if (!x.intact() || !gamma.intact() || !beta.intact()) failures.push_back(what + ": wrote outside an input");
}

// Several slabs of which the last is smaller, more lanes than pixels, groups that straddle groups of four channels,
// more channels than threads, one group, one channel a group.
template <typename Out>
void group_norm_cases(uint64_t seed, ThreadPool* pool, Failures& failures) {
  group_norm_case<Out, 1>({1, 1, 6, 3, 1, 1, false}, seed, pool, failures);
  group_norm_case<Out, 1>({2, 77, 33, 11, 20, 7, true}, seed + 1, pool, failures);
  group_norm_case<Out, 4>({2, 61, 40, 4, 9, 30, false}, seed + 2, pool, failures);
  group_norm_case<Out, 4>({3, 130, 96, 32, 40, 64, true}, seed + 3, pool, failures);
  group_norm_case<Out, 4>({1, 40, 320, 32, 21, 9, true}, seed + 4, pool, failures);
  group_norm_case<Out, 4>({1, 9, 1284, 2, 9, 5, false}, seed + 5, pool, failures);
  group_norm_case<Out, 1>({1, 300, 8, 8, 300, 300, false}, seed + 6, pool, failures);
  group_norm_case<Out, 1>({2, 35, 16, 1, 3, 35, true}, seed + 7, pool, failures);
}

}  // namespace ipa::cuda
