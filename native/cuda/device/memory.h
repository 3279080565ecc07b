#pragma once
// Shared memory of a block, the counter that blocks share, and the order of what they write.
#include "cuda/device/types.h"

namespace ipa::cuda {

#if defined(IPA_ON_CARD)

extern __shared__ __align__(128) unsigned char ipa_shared[];

// The block's dynamic shared memory, aligned to 128 bytes; its size comes with the launch.
template <typename T>
IPA_DEVICE T* shared_memory() {
  return reinterpret_cast<T*>(ipa_shared);
}

// One value of 2, 4 or 8 bytes. Kernels read and write shared memory through these (and ldmatrix and cp.async) alone,
// so that the emulator sees it.
template <typename T>
IPA_DEVICE T shared_load(const T* from) {
  return *from;
}
template <typename T>
IPA_DEVICE void shared_store(T* to, T value) {
  *to = value;
}

IPA_DEVICE uint32_t shared_address(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

// In global memory; returns what was there before.
IPA_DEVICE uint32_t atomic_add(uint32_t* to, uint32_t value) { return atomicAdd(to, value); }
// What this thread wrote before is seen by every thread of the card before what it writes after.
IPA_DEVICE void thread_fence() { __threadfence(); }

#else

template <typename T>
T* shared_memory() {
  return reinterpret_cast<T*>(emulator::shared_memory());
}
template <typename T>
T shared_load(const T* from) {
  emulator::shared_read(from, sizeof(T));
  return *from;
}
template <typename T>
void shared_store(T* to, T value) {
  emulator::shared_write(to, sizeof(T));
  *to = value;
}
inline uint32_t atomic_add(uint32_t* to, uint32_t value) { return emulator::atomic_add(to, value); }
inline void thread_fence() { emulator::thread_fence(); }

#endif

}  // namespace ipa::cuda
