#pragma once
// Cases of group_norm, as kernel_cases.h has those of the others.
#include <numeric>

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

// Two tensors side by side: `seam` channels are of the first, 0 where there is one.
struct GroupNormHow {
  int seam = 0;
  int block_groups = 1 << 20;  // of a block; all where there are fewer
  bool raw = false;
  int left_slab = 0;  // pixels of a slab of moments of pairs, which a product left; 0: all are counted by a launch
  int from = 0;       // the pixels before it are counted and left as they are, of one image
};

// Channels [from, to) of x as a tensor of its own, and its moments.
struct GroupNormGiven {
  int channels, unit, slab_pixels, slabs;
  Tensor<float> x;
  Tensor<GroupMoments> parts;

  GroupNormGiven(const GroupNormSize& size, const Tensor<float>& all, int from, int to, int its_unit, int slab)
      : channels(to - from),
        unit(its_unit),
        slab_pixels(slab),
        slabs((size.pixels + slab - 1) / slab),
        x(static_cast<size_t>(size.images) * size.pixels * channels),
        parts(static_cast<size_t>(size.images) * slabs * (channels / unit)) {
    for (size_t i = 0; i < x.size(); ++i) x[i] = all[i / channels * size.channels + from + i % channels];
  }

  // As a product leaves them: in f64 from the numbers.
  void count(const GroupNormSize& size) {
    for (size_t i = 0; i < parts.size(); ++i) {
      const size_t units = channels / unit, slab = i / units % slabs, image = i / units / slabs;
      const size_t first = slab * slab_pixels;
      const size_t count = std::min<size_t>(slab_pixels, size.pixels - first) * unit;
      const auto at = [&](size_t k) {
        return static_cast<double>(
            x[(image * size.pixels + first + k / unit) * channels + i % units * unit + k % unit]);
      };
      double mean = 0, squares = 0;
      for (size_t k = 0; k < count; ++k) mean += at(k) / static_cast<double>(count);
      for (size_t k = 0; k < count; ++k) squares += (at(k) - mean) * (at(k) - mean);
      parts[i] = {static_cast<float>(mean), static_cast<float>(squares)};
    }
  }

  GroupNormSource source() const { return {x.data(), parts.data(), channels, unit, slab_pixels, slabs}; }
};

template <typename Out, int kWide>
void group_norm_case(const GroupNormSize& size, const GroupNormHow& how, uint64_t seed, ThreadPool* pool,
                     Failures& failures) {
  std::mt19937_64 random(seed);
  const size_t image = static_cast<size_t>(size.pixels) * size.channels;
  Tensor<float> x(size.images * image), gamma(size.channels), beta(size.channels);
  fill(x, random, 3, 10), fill(gamma, random, 1), fill(beta, random, 1);
  const int width = size.channels / size.groups;
  for (int p = 0; p < size.pixels; ++p)  // a group without variance, and channels far apart in the last image
    for (int c = 0; c < width; ++c) x[static_cast<size_t>(p) * size.channels + c] = 2;
  for (size_t i = (size.images - 1) * image; i < x.size(); ++i) x[i] += static_cast<float>(i % size.channels % 7 * 20);
  constexpr float kEpsilon = 1e-5f;
  std::vector<double> reference = group_norm_reference(size, kEpsilon, x.data(), gamma.data(), beta.data());
  std::fill_n(reference.begin(), how.from * size.channels, 0.0);
  const std::vector<double> unchanged(x.data(), x.data() + x.size());

  const int seam = how.seam ? how.seam : size.channels;
  const int unit = how.left_slab ? 2 : how.seam ? std::gcd(width, seam) : width;
  const int slab = how.left_slab ? how.left_slab : size.slab_pixels;
  GroupNormGiven first(size, x, 0, seam, unit, slab), second(size, x, seam, size.channels, unit, slab);
  const std::string what = std::string("group_norm to ") + kName<Out> + ", " + std::to_string(size.images) + " x " +
                           std::to_string(size.pixels) + " x " + std::to_string(size.channels) + ", " +
                           std::to_string(size.groups) + " groups, seam at " + std::to_string(seam);
  run_orders<Out>(
      what, seed, reference,
      [&](const emulator::Order& order, Out* out) {
        emulator::Launch launch;
        launch.order = order, launch.pool = pool, launch.threads = kGroupNormThreads;
        for (GroupNormGiven* given : {&first, &second}) {
          if (how.left_slab) given->count(size);
          if (how.left_slab || given->channels == 0) continue;
          std::fill_n(reinterpret_cast<std::byte*>(given->parts.data()), given->parts.bytes().size(), std::byte{0xff});
          launch.kernel = "group_statistics";
          launch.grid = {static_cast<uint32_t>(given->slabs), static_cast<uint32_t>(size.images)};
          launch.shared_bytes = group_statistics_shared_bytes(given->channels);
          emulator::launch(launch, group_statistics,
                           GroupStatisticsArguments{given->x.data(), given->parts.data(), size.pixels, given->channels,
                                                    unit, slab, given->slabs});
          if (!given->parts.intact()) failures.push_back(what + ": wrote outside its parts");
        }
        const bool copies = how.raw && sizeof(Out) == 2;
        Tensor<Out> raw(copies ? x.size() : 0);
        GroupNormArguments arguments{};
        arguments.first = first.source();
        if (second.channels > 0) arguments.second = second.source();
        arguments.first.x += how.from * first.channels;
        arguments.gamma = gamma.data(), arguments.beta = beta.data();
        arguments.y = out + how.from * size.channels, arguments.raw = copies ? raw.data() : nullptr;
        std::fill_n(out, how.from * size.channels, Out{});
        arguments.pixels = size.pixels - how.from, arguments.counted = size.pixels, arguments.channels = size.channels,
        arguments.groups = size.groups;
        arguments.block_pixels = size.block_pixels, arguments.block_groups = std::min(size.groups, how.block_groups);
        arguments.epsilon = kEpsilon, arguments.silu = size.silu;
        launch.kernel = "group_norm";
        launch.grid = {static_cast<uint32_t>((size.pixels + size.block_pixels - 1) / size.block_pixels),
                       static_cast<uint32_t>(size.images),
                       static_cast<uint32_t>((size.groups + arguments.block_groups - 1) / arguments.block_groups)};
        launch.shared_bytes = group_norm_shared_bytes(arguments.block_groups);
        emulator::launch(launch, group_norm<Out, kWide>, arguments);
        const bool same = !copies || relative_error(raw, unchanged) <= kLimit<Out>;
        if (!same || !raw.intact()) failures.push_back(what + ": its input as an operand");
      },
      failures);
  if (!first.x.intact() || !second.x.intact() || !gamma.intact() || !beta.intact())
    failures.push_back(what + ": wrote outside an input");
}

// Several slabs of which the last is smaller, more lanes than pixels, groups that straddle groups of four channels,
// more channels than threads, one group, one channel a group; blocks of part of the groups; two tensors with a seam
// between and within groups, whose moments are counted or were left in pairs; some pixels of those that are counted.
template <typename Out>
void group_norm_cases(uint64_t seed, ThreadPool* pool, Failures& failures) {
  const auto both = [&](const GroupNormSize& size, const GroupNormHow& how = {}) {
    if (size.channels % 4 == 0 && how.seam % 4 == 0)
      group_norm_case<Out, 4>(size, how, seed++, pool, failures);
    else
      group_norm_case<Out, 1>(size, how, seed++, pool, failures);
  };
  both({1, 1, 6, 3, 1, 1, false});
  both({2, 77, 33, 11, 20, 7, true});
  both({2, 61, 40, 4, 9, 30, false}, {.raw = true});
  both({3, 130, 96, 32, 40, 64, true}, {.block_groups = 12});
  both({1, 40, 320, 32, 21, 9, true}, {.block_groups = 8});
  both({1, 9, 1284, 2, 9, 5, false});
  group_norm_case<Out, 1>({1, 300, 8, 8, 300, 300, false}, {}, seed++, pool, failures);
  group_norm_case<Out, 1>({2, 35, 16, 1, 3, 35, true}, {}, seed++, pool, failures);
  both({1, 66, 40, 4, 11, 20, true}, {.from = 22});
  both({2, 50, 60, 6, 16, 20, true}, {.seam = 24, .block_groups = 2, .raw = true});
  both({2, 40, 48, 4, 16, 17, false}, {.seam = 24, .block_groups = 3, .raw = true, .left_slab = 16});
  both({3, 64, 60, 3, 16, 64, true}, {.seam = 44, .block_groups = 1, .left_slab = 32});
  both({1, 45, 42, 7, 16, 11, true}, {.seam = 10, .block_groups = 2, .left_slab = 20});
  both({2, 70, 80, 8, 64, 70, true}, {.block_groups = 4, .left_slab = 35});
}

}  // namespace ipa::cuda
