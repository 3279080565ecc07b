#pragma once
// Sums over the lanes of a warp and over a block, always added in the same order.
#include "cuda/device/device.h"

namespace ipa::cuda {

// The sum over the lanes, in every lane, added in the same order in each.
IPA_DEVICE float warp_sum(float value) {
  IPA_UNROLL
  for (uint32_t mask = 16; mask > 0; mask /= 2) value += shuffle_xor(value, mask);
  return value;
}

struct Sum {
  template <typename T>
  IPA_DEVICE T operator()(T a, T b) const {
    return a + b;
  }
};

struct Highest {  // NaN on either side comes through
  IPA_DEVICE float operator()(float a, float b) const { return b > a || b != b ? b : a; }
};

// All threads' values brought together in a tree; every thread of the block must call and gets the result. `shared`
// has a place per thread; the number of threads is a power of two.
template <typename Join, typename T>
IPA_DEVICE T block_join(T value, T* shared, Join join) {
  const uint32_t thread = thread_index();
  shared_store(shared + thread, value);
  for (uint32_t half = block_threads() / 2; half > 0; half /= 2) {
    block_barrier();
    if (thread < half)
      shared_store(shared + thread, join(shared_load(shared + thread), shared_load(shared + thread + half)));
  }
  block_barrier();
  const T result = shared_load(shared);
  block_barrier();  // before the places are used again
  return result;
}

template <typename T>
IPA_DEVICE T block_sum(T value, T* shared) {
  return block_join(value, shared, Sum{});
}

}  // namespace ipa::cuda
