#pragma once
// Asynchronous copies, global to shared memory, of 4, 8 or 16 bytes. sm_75 copies through registers at once.
#include "cuda/device/memory.h"
#include "cuda/device/types.h"

namespace ipa::cuda {

#if defined(IPA_ON_CARD)

template <int kBytes>
struct CopyWords;
template <>
struct CopyWords<4> {
  using Type = uint32_t;
};
template <>
struct CopyWords<8> {
  using Type = uint2;
};
template <>
struct CopyWords<16> {
  using Type = uint4;
};

// Copies the first `bytes` of kBytes, the rest becomes zero; 0 reads nothing. Both addresses are multiples of kBytes.
template <int kBytes>
IPA_DEVICE void copy_async(void* shared, const void* global, uint32_t bytes = kBytes) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16, "the instruction knows these sizes");
#if defined(IPA_BEFORE_AMPERE)
  union {
    typename CopyWords<kBytes>::Type all;
    uint16_t parts[kBytes / 2];
  } words = {};
  if (bytes == kBytes) {
    words.all = *static_cast<const typename CopyWords<kBytes>::Type*>(global);
  } else {
    IPA_UNROLL
    for (uint32_t i = 0; i < kBytes / 2; ++i)  // to the end, so that every part stays in a register
      if (2 * i < bytes) words.parts[i] = static_cast<const uint16_t*>(global)[i];
  }
  *static_cast<typename CopyWords<kBytes>::Type*>(shared) = words.all;
#else
  if constexpr (kBytes == 16)  // past L1: what is copied so is read once
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)), "l"(global), "r"(bytes)
                 : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(shared)), "l"(global),
                 "n"(kBytes), "r"(bytes)
                 : "memory");
#endif
}

// Closes this thread's group of copies.
IPA_DEVICE void copy_commit() {
#if !defined(IPA_BEFORE_AMPERE)
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Until at most kPending of this thread's groups are on the way. Other threads see the copies after a barrier.
template <int kPending>
IPA_DEVICE void copy_wait() {
#if !defined(IPA_BEFORE_AMPERE)
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
#endif
}

#else

template <int kBytes>
void copy_async(void* shared, const void* global, uint32_t bytes = kBytes) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16, "the instruction knows these sizes");
  emulator::copy_async(shared, global, kBytes, bytes);
}
inline void copy_commit() { emulator::copy_commit(); }
template <int kPending>
void copy_wait() {
  emulator::copy_wait(kPending);
}

#endif

}  // namespace ipa::cuda
