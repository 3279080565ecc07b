#pragma once
// Where a thread is: indices and sizes; barriers.
#include "cuda/device/types.h"

namespace ipa::cuda {

struct Index3 {
  uint32_t x, y, z;
};

#if defined(IPA_ON_CARD)

IPA_DEVICE uint32_t thread_index() { return threadIdx.x; }  // in the block; blocks are one-dimensional
IPA_DEVICE uint32_t block_threads() { return blockDim.x; }
IPA_DEVICE Index3 block_index() { return {blockIdx.x, blockIdx.y, blockIdx.z}; }
IPA_DEVICE Index3 grid_size() { return {gridDim.x, gridDim.y, gridDim.z}; }  // blocks
IPA_DEVICE void block_barrier() { __syncthreads(); }
// Of `threads` threads, whole warps; id 1 to 15.
IPA_DEVICE void named_barrier(uint32_t id, uint32_t threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
IPA_DEVICE void warp_sync() { __syncwarp(); }

#else

inline uint32_t thread_index() { return emulator::thread_index(); }
inline uint32_t block_threads() { return emulator::block_threads(); }
inline Index3 block_index() {
  const emulator::Position p = emulator::block_index();
  return {p.x, p.y, p.z};
}
inline Index3 grid_size() {
  const emulator::Position p = emulator::grid_size();
  return {p.x, p.y, p.z};
}
inline void block_barrier() { emulator::block_barrier(); }
inline void named_barrier(uint32_t id, uint32_t threads) { emulator::named_barrier(id, threads); }
inline void warp_sync() { emulator::warp_sync(); }

#endif

IPA_DEVICE uint32_t lane_index() { return thread_index() % 32; }
IPA_DEVICE uint32_t warp_index() { return thread_index() / 32; }  // in the block

}  // namespace ipa::cuda
