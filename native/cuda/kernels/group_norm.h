#pragma once
// K5: y = function((x - mean) / sqrt(variance + epsilon) * gamma + beta), mean and biased variance per image and group
// of channels. x [images][pixels][channels] f32, y of 16 bits or f32, function identity or silu. Two launches:
//
// 1. group_statistics: a block reads a slab of pixels of an image, all channels, once. A thread sees one channel of
//    every kLanes-th pixel, kGroupNormBatch of them at a time in registers, as (count, mean, squared deviation); the
//    block merges channels and lanes to groups. -> parts [images][groups][slabs]
// 2. group_norm: every block merges the parts of its image, then normalises its slab.
// A launch wants slabs and blocks for all multiprocessors, but no more than some 64 slabs: each block of the second
// launch reads all parts of its image. Merging is exact to rounding for any mean: the joint mean first, then all
// deviations from that. All in a fixed order.
//
// Bound: memory, x is read twice (4 bytes each, the second time from L2 where it fits) and y written once.
// Measured fraction of the bound: none yet, no card has run it.
#include "cuda/kernels/block_sum.h"
#include "cuda/kernels/element_function.h"
#include "cuda/kernels/spread.h"

namespace ipa::cuda {

constexpr int kGroupNormThreads = 256;
constexpr int kGroupNormChannels = 4096, kGroupNormGroups = 256;  // at most
constexpr int kGroupNormBatch = 8;  // pixels in registers while counting, all on their way at once
constexpr int kGroupNormAhead = 4;  // the same while normalising

struct GroupMoments {
  float mean, squares;  // squares: the sum of squared deviations from the mean
};

struct GroupNormArguments {
  const float* x;       // [images][pixels][channels]
  const float* gamma;   // [channels]
  const float* beta;    // [channels]
  GroupMoments* parts;  // [images][groups][slabs], written by the first launch
  void* y;              // [images][pixels][channels]
  int32_t pixels, channels, groups;
  int32_t slab_pixels, slabs;  // of the first launch; slabs = pixels / slab_pixels, rounded up
  int32_t block_pixels;        // of a block of the second launch
  float epsilon;
  bool silu;
};

// Threads of a block side by side: as many pixels as whole rows of `columns` fit, at least one.
IPA_BOTH_SIDES constexpr int group_norm_lanes(int columns) {
  return columns < kGroupNormThreads ? kGroupNormThreads / columns : 1;
}
constexpr int group_statistics_shared_bytes(int channels) { return group_norm_lanes(channels) * channels * 8; }
constexpr int group_norm_shared_bytes(int groups) { return groups * 8; }

namespace group_norm_parts {

// Pixels that lane `lane` sees of `count`.
IPA_DEVICE int seen(int count, int lane, int lanes) { return lane < count ? (count - lane + lanes - 1) / lanes : 0; }

// Adds what is known of `count` numbers to what is known of `before` others.
IPA_DEVICE void merge(GroupMoments& into, int before, float mean, float squares, int count) {
  const float share = static_cast<float>(count) / static_cast<float>(before + count), difference = mean - into.mean;
  into.mean += difference * share;
  into.squares += squares + difference * difference * share * static_cast<float>(before);
}

// Of one channel of `pixels` pixels, which lie `step` numbers apart.
IPA_DEVICE GroupMoments moments_of_channel(const float* x, int pixels, size_t step) {
  GroupMoments moments{0, 0};
  for (int first = 0; first < pixels; first += kGroupNormBatch) {
    const int count = pixels - first < kGroupNormBatch ? pixels - first : kGroupNormBatch;
    float values[kGroupNormBatch], sum = 0, squares = 0;
    IPA_UNROLL
    for (int i = 0; i < kGroupNormBatch; ++i) values[i] = i < count ? x[(first + i) * step] : 0.0f;
    IPA_UNROLL
    for (int i = 0; i < kGroupNormBatch; ++i) sum += values[i];
    const float mean = sum / static_cast<float>(count);
    IPA_UNROLL
    for (int i = 0; i < kGroupNormBatch; ++i) {
      const float difference = i < count ? values[i] - mean : 0.0f;
      squares += difference * difference;
    }
    merge(moments, first, mean, squares, count);
  }
  return moments;
}

// All of a warp: brings together `entries` moments, entry i of counts(i) numbers, `total` in all.
template <typename Entry, typename Count>
IPA_DEVICE GroupMoments merge_all(int entries, float total, Entry&& entry, Count&& counts) {
  const int lane = static_cast<int>(lane_index());
  float sum = 0;
  for (int i = lane; i < entries; i += 32) sum += entry(i).mean * static_cast<float>(counts(i));
  const float mean = warp_sum(sum) / total;
  float squares = 0;
  for (int i = lane; i < entries; i += 32) {
    const GroupMoments part = entry(i);
    const float difference = part.mean - mean;
    squares += part.squares + difference * difference * static_cast<float>(counts(i));
  }
  return {mean, warp_sum(squares)};
}

}  // namespace group_norm_parts

// grid: slabs x images; shared memory: group_statistics_shared_bytes
IPA_DEVICE void group_statistics(const GroupNormArguments& arguments) {
  using namespace group_norm_parts;
  float* const means = shared_memory<float>();  // [lanes][channels]
  const int channels = arguments.channels, lanes = group_norm_lanes(channels);
  float* const squares = means + lanes * channels;  // [lanes][channels]
  const int first = static_cast<int>(block_index().x) * arguments.slab_pixels;
  const int left = arguments.pixels - first;
  const int count = left < arguments.slab_pixels ? left : arguments.slab_pixels;
  const size_t image = block_index().y;
  const float* const x = arguments.x + (image * arguments.pixels + first) * channels;

  // One place of [lanes][channels] after the other; more than one only where there is one lane.
  for (int i = static_cast<int>(thread_index()); i < lanes * channels; i += kGroupNormThreads) {
    const int lane = i / channels;
    const GroupMoments moments =
        moments_of_channel(x + i, seen(count, lane, lanes), static_cast<size_t>(lanes) * channels);
    shared_store(means + i, moments.mean);
    shared_store(squares + i, moments.squares);
  }
  block_barrier();

  const int width = channels / arguments.groups;
  GroupMoments* const parts = arguments.parts + image * arguments.groups * arguments.slabs + block_index().x;
  for (int group = static_cast<int>(warp_index()); group < arguments.groups; group += kGroupNormThreads / 32) {
    const auto place = [&](int i) { return i / width * channels + group * width + i % width; };
    const GroupMoments moments = merge_all(
        lanes * width, static_cast<float>(count) * static_cast<float>(width),
        [&](int i) {
          return GroupMoments{shared_load(means + place(i)), shared_load(squares + place(i))};
        },
        [&](int i) { return seen(count, i / width, lanes); });
    if (lane_index() == 0) parts[static_cast<size_t>(group) * arguments.slabs] = moments;
  }
}

// grid: pixels / block_pixels, rounded up, x images; shared memory: group_norm_shared_bytes. kWide: 4 where channels
// are a multiple of 4, else 1.
template <typename Out, int kWide>
IPA_DEVICE void group_norm(const GroupNormArguments& arguments) {
  using namespace group_norm_parts;
  float* const means = shared_memory<float>();     // [groups]
  float* const scales = means + arguments.groups;  // [groups]
  const int channels = arguments.channels, width = channels / arguments.groups;
  const size_t image = block_index().y;
  const GroupMoments* const parts = arguments.parts + image * arguments.groups * arguments.slabs;
  for (int group = static_cast<int>(warp_index()); group < arguments.groups; group += kGroupNormThreads / 32) {
    const float total = static_cast<float>(arguments.pixels) * static_cast<float>(width);
    const GroupMoments moments = merge_all(
        arguments.slabs, total, [&](int slab) { return parts[group * arguments.slabs + slab]; },
        [&](int slab) {
          const int left = arguments.pixels - slab * arguments.slab_pixels;
          return (left < arguments.slab_pixels ? left : arguments.slab_pixels) * width;
        });
    if (lane_index() > 0) continue;
    shared_store(means + group, moments.mean);
    shared_store(scales + group, 1.0f / sqrt_f32(moments.squares / total + arguments.epsilon));
  }
  block_barrier();

  const int columns = channels / kWide, lanes = group_norm_lanes(columns);
  const int first = static_cast<int>(block_index().x) * arguments.block_pixels;
  const int left = arguments.pixels - first;
  const int count = left < arguments.block_pixels ? left : arguments.block_pixels;
  const size_t offset = (image * arguments.pixels + first) * channels;
  for (int i = static_cast<int>(thread_index()); i < lanes * columns; i += kGroupNormThreads) {
    const int column = i % columns;
    float gamma[kWide], beta[kWide], mean[kWide];
    load_numbers(group_at<kWide>(arguments.gamma, column), gamma);
    load_numbers(group_at<kWide>(arguments.beta, column), beta);
    IPA_UNROLL
    for (int j = 0; j < kWide; ++j) {
      const int group = (column * kWide + j) / width;
      mean[j] = shared_load(means + group), gamma[j] *= shared_load(scales + group);
    }
    const int pixels = seen(count, i / columns, lanes);
    for (int pixel = 0; pixel < pixels; pixel += kGroupNormAhead) {
      const size_t at = offset + (static_cast<size_t>(pixel) * lanes * columns + i) * kWide;
      const size_t step = static_cast<size_t>(lanes) * columns * kWide;  // from pixel to pixel
      float values[kGroupNormAhead][kWide];
      IPA_UNROLL
      for (int k = 0; k < kGroupNormAhead; ++k)
        if (pixel + k < pixels) load_numbers(arguments.x + at + k * step, values[k]);
      IPA_UNROLL
      for (int k = 0; k < kGroupNormAhead; ++k) {
        if (pixel + k >= pixels) break;
        IPA_UNROLL
        for (int j = 0; j < kWide; ++j) {
          values[k][j] = (values[k][j] - mean[j]) * gamma[j] + beta[j];
          if (arguments.silu) values[k][j] = silu(values[k][j]);
        }
        store_numbers(static_cast<Out*>(arguments.y) + at + k * step, values[k]);
      }
    }
  }
}

}  // namespace ipa::cuda

// Instances, group_norm_<output>_x<neighbours of an index>: X(name, arguments, threads, blocks, bytes of shared memory,
// function). Shared memory is what the widest layer takes, kGroupNormChannels and kGroupNormGroups.
#define IPA_GROUP_NORM_OUT(X, out, Out, wide)                                                                        \
  X(group_norm_##out##_x##wide, GroupNormArguments, kGroupNormThreads, 4, group_norm_shared_bytes(kGroupNormGroups), \
    group_norm<Out, wide>)
#define IPA_GROUP_NORM(X)                                                                                              \
  X(group_statistics_f32, GroupNormArguments, kGroupNormThreads, 4, group_statistics_shared_bytes(kGroupNormChannels), \
    group_statistics)                                                                                                  \
  IPA_GROUP_NORM_OUT(X, f16, Half, 1)                                                                                  \
  IPA_GROUP_NORM_OUT(X, f16, Half, 4)                                                                                  \
  IPA_GROUP_NORM_OUT(X, bf16, BFloat, 1)                                                                               \
  IPA_GROUP_NORM_OUT(X, bf16, BFloat, 4)                                                                               \
  IPA_GROUP_NORM_OUT(X, f32, float, 1)                                                                                 \
  IPA_GROUP_NORM_OUT(X, f32, float, 4)
