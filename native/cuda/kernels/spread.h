#pragma once
// What element kernels share: how indices are spread over the grid, and where the numbers of an index lie.
#include "cuda/device/device.h"

namespace ipa::cuda {

constexpr int kElementThreads = 256;  // of a block; any number of blocks will do

// f(i) for every i < count, each thread taking every index that is its own modulo the threads of the grid.
template <typename F>
IPA_DEVICE void for_each_index(int32_t count, F&& f) {
  const uint32_t step = grid_size().x * block_threads();
  const uint32_t end = static_cast<uint32_t>(count);  // and i + step stay below 2^32
  for (uint32_t i = block_index().x * block_threads() + thread_index(); i < end; i += step) f(i);
}

// Kernels count in groups of kWide neighbours, so that 32 bits name 2^31 groups. Group i of an array:
template <int kWide, typename T>
IPA_DEVICE T* group_at(T* from, size_t i) {
  return from + i * kWide;
}

}  // namespace ipa::cuda
