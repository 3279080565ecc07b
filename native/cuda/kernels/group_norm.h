#pragma once
// K5: y = function((x - mean) / sqrt(variance + epsilon) * gamma + beta), mean and biased variance per image and group
// of channels. x [images][pixels][channels] f32, y of 16 bits or f32, function identity or silu. x may be two tensors
// side by side along channels, which are never joined in memory; with `raw` x is written as y's type too, for a product
// that reads it besides.
//
// 1. Moments come from who made x (result.h) or from group_statistics: a block reads a slab of pixels of an image, all
//    channels, once. A thread sees one channel of every kLanes-th pixel, kGroupNormBatch of them at a time in
//    registers, as (count, mean, squared deviation); the block merges channels and lanes to units of neighbouring
//    channels.
//    -> parts [images][slabs][channels / unit]
// 2. group_norm: every block merges the parts of its image and its groups, a whole number of units on either side of
//    the seam, then normalises its slab of pixels and groups.
// Blocks of the second launch have few groups and many pixels: each reads all parts of its groups. Merging is exact to
// rounding for any mean: the joint mean first, then all deviations from that. All in a fixed order.
//
// Bound: memory, x is read once (4 bytes; twice where nobody left its moments, the second time from L2 where it fits)
// and y written once. Measured fraction of the bound: none yet, no card has run it.
#include "cuda/kernels/block_sum.h"
#include "cuda/kernels/element_function.h"
#include "cuda/kernels/moments.h"
#include "cuda/kernels/spread.h"

namespace ipa::cuda {

constexpr int kGroupNormThreads = 256;
constexpr int kGroupNormChannels = 4096, kGroupNormGroups = 256;  // at most; the channels of one tensor
constexpr int kGroupNormBatch = 8;  // pixels in registers while counting, all on their way at once
constexpr int kGroupNormAhead = 4;  // the same while normalising

struct GroupStatisticsArguments {
  const float* x;       // [images][pixels][channels]
  GroupMoments* parts;  // [images][slabs][channels / unit]
  int32_t pixels, channels, unit;
  int32_t slab_pixels, slabs;  // slabs = pixels / slab_pixels, rounded up
};

struct GroupNormSource {
  const float* x;             // [images][pixels][channels]
  const GroupMoments* parts;  // [images][slabs][channels / unit]
  int32_t channels, unit;
  int32_t slab_pixels, slabs;
};

struct GroupNormArguments {
  GroupNormSource first, second;  // second.channels is 0 where there is one tensor; units divide the seam and groups
  const float* gamma;             // [channels]
  const float* beta;              // [channels]
  void* y;                        // [images][pixels][channels]
  void* raw;                      // the same, or null; null where y is f32
  int32_t pixels, channels, groups;
  int32_t counted;                     // pixels of the moments: more where x is some rows of a picture
  int32_t block_pixels, block_groups;  // of a block; channels of block_groups are a multiple of kWide
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

// Channels [from, to) of a source as entries of moments: unit by unit, slab by slab.
struct Entries {
  const GroupMoments* parts;  // of the image, from the first unit on
  int units, row;             // units wanted, units of a slab
  int count;
  int unit, slab_pixels, pixels;

  IPA_DEVICE Entries(const GroupNormSource& source, size_t image, int all_pixels, int from, int to) {
    unit = source.unit, slab_pixels = source.slab_pixels, pixels = all_pixels;
    units = (to - from) / unit, row = source.channels / unit, count = units * source.slabs;
    parts = source.parts + image * source.slabs * row + from / unit;
  }
  IPA_DEVICE GroupMoments entry(int i) const { return parts[static_cast<size_t>(i / units) * row + i % units]; }
  IPA_DEVICE float numbers(int i) const {
    const int left = pixels - i / units * slab_pixels;
    return static_cast<float>(left < slab_pixels ? left : slab_pixels) * static_cast<float>(unit);
  }
  // What this lane of a warp sees.
  IPA_DEVICE float sum() const {
    float sum = 0;
    for (int i = static_cast<int>(lane_index()); i < count; i += 32) sum += entry(i).mean * numbers(i);
    return sum;
  }
  IPA_DEVICE float squares(float mean) const {
    float squares = 0;
    for (int i = static_cast<int>(lane_index()); i < count; i += 32) {
      const GroupMoments part = entry(i);
      const float difference = part.mean - mean;
      squares += part.squares + difference * difference * numbers(i);
    }
    return squares;
  }
};

IPA_DEVICE int smaller(int a, int b) { return a < b ? a : b; }

}  // namespace group_norm_parts

// grid: slabs x images; shared memory: group_statistics_shared_bytes
IPA_DEVICE void group_statistics(const GroupStatisticsArguments& arguments) {
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

  const int width = arguments.unit, units = channels / width;
  GroupMoments* const parts = arguments.parts + (image * arguments.slabs + block_index().x) * units;
  for (int unit = static_cast<int>(warp_index()); unit < units; unit += kGroupNormThreads / 32) {
    const auto place = [&](int i) { return i / width * channels + unit * width + i % width; };
    const GroupMoments moments = merge_all(
        lanes * width, static_cast<float>(count) * static_cast<float>(width),
        [&](int i) {
          return GroupMoments{shared_load(means + place(i)), shared_load(squares + place(i))};
        },
        [&](int i) { return seen(count, i / width, lanes); });
    if (lane_index() == 0) parts[unit] = moments;
  }
}

// grid: pixels / block_pixels x images x groups / block_groups, rounded up; shared memory: group_norm_shared_bytes of a
// block's groups. kWide: 4 where the channels of either source are a multiple of 4, else 1.
template <typename Out, int kWide>
IPA_DEVICE void group_norm(const GroupNormArguments& arguments) {
  using namespace group_norm_parts;
  float* const means = shared_memory<float>();           // [block_groups]
  float* const scales = means + arguments.block_groups;  // [block_groups]
  const int width = arguments.channels / arguments.groups, seam = arguments.first.channels;
  const size_t image = block_index().y;
  const int first_group = static_cast<int>(block_index().z) * arguments.block_groups;
  const int groups = smaller(arguments.groups - first_group, arguments.block_groups);
  const float total = static_cast<float>(arguments.counted) * static_cast<float>(width);
  for (int group = static_cast<int>(warp_index()); group < groups; group += kGroupNormThreads / 32) {
    const int from = (first_group + group) * width, to = from + width;
    const bool has_first = from < seam;
    const bool has_second = to > seam;
    float sum = 0, squares = 0;
    if (has_first) sum += Entries(arguments.first, image, arguments.counted, from, smaller(to, seam)).sum();
    const int from_second = has_first ? 0 : from - seam;
    if (has_second) sum += Entries(arguments.second, image, arguments.counted, from_second, to - seam).sum();
    const float mean = warp_sum(sum) / total;
    if (has_first) squares += Entries(arguments.first, image, arguments.counted, from, smaller(to, seam)).squares(mean);
    if (has_second)
      squares += Entries(arguments.second, image, arguments.counted, from_second, to - seam).squares(mean);
    squares = warp_sum(squares);
    if (lane_index() > 0) continue;
    shared_store(means + group, mean);
    shared_store(scales + group, 1.0f / sqrt_f32(squares / total + arguments.epsilon));
  }
  block_barrier();

  const int columns = groups * width / kWide, lanes = group_norm_lanes(columns);
  const int first = static_cast<int>(block_index().x) * arguments.block_pixels;
  const int count = smaller(arguments.pixels - first, arguments.block_pixels);
  const size_t first_pixel = image * arguments.pixels + first;
  for (int i = static_cast<int>(thread_index()); i < lanes * columns; i += kGroupNormThreads) {
    const int inner = i % columns * kWide, channel = first_group * width + inner;
    float gamma[kWide], beta[kWide], mean[kWide];
    load_numbers(arguments.gamma + channel, gamma);
    load_numbers(arguments.beta + channel, beta);
    IPA_UNROLL
    for (int j = 0; j < kWide; ++j) {
      const int group = (inner + j) / width;
      mean[j] = shared_load(means + group), gamma[j] *= shared_load(scales + group);
    }
    const bool second = channel >= seam;
    const int lane = i / columns, pixels = seen(count, lane, lanes);
    const int all = arguments.channels, own = second ? arguments.second.channels : seam;  // of the tensor with this one
    const float* const x =
        (second ? arguments.second.x - seam : arguments.first.x) + (first_pixel + lane) * own + channel;
    Out* const y = static_cast<Out*>(arguments.y) + (first_pixel + lane) * all + channel;
    [[maybe_unused]] Out* const raw =
        arguments.raw ? static_cast<Out*>(arguments.raw) + (first_pixel + lane) * all + channel : nullptr;
    for (int pixel = 0; pixel < pixels; pixel += kGroupNormAhead) {
      float values[kGroupNormAhead][kWide];
      IPA_UNROLL
      for (int k = 0; k < kGroupNormAhead; ++k)
        if (pixel + k < pixels) load_numbers(x + (pixel + k) * lanes * own, values[k]);
      IPA_UNROLL
      for (int k = 0; k < kGroupNormAhead; ++k) {
        if (pixel + k >= pixels) break;
        const int to = (pixel + k) * lanes * all;  // a block's numbers are below 2^31
        if constexpr (sizeof(Out) == 2)
          if (raw) store_numbers(raw + to, values[k]);
        IPA_UNROLL
        for (int j = 0; j < kWide; ++j) {
          values[k][j] = (values[k][j] - mean[j]) * gamma[j] + beta[j];
          if (arguments.silu) values[k][j] = silu(values[k][j]);
        }
        store_numbers(y + to, values[k]);
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
#define IPA_GROUP_NORM(X)                                                 \
  X(group_statistics_f32, GroupStatisticsArguments, kGroupNormThreads, 4, \
    group_statistics_shared_bytes(kGroupNormChannels), group_statistics)  \
  IPA_GROUP_NORM_OUT(X, f16, Half, 1)                                     \
  IPA_GROUP_NORM_OUT(X, f16, Half, 4)                                     \
  IPA_GROUP_NORM_OUT(X, bf16, BFloat, 1)                                  \
  IPA_GROUP_NORM_OUT(X, bf16, BFloat, 4)                                  \
  IPA_GROUP_NORM_OUT(X, f32, float, 1)                                    \
  IPA_GROUP_NORM_OUT(X, f32, float, 4)
