#pragma once
// Words that differ between nvcc and a C++ compiler, and our own numbers of 16 bits, alike on both sides.
#include <cstddef>
#include <cstdint>

#if defined(__CUDACC__)
#define IPA_ON_CARD 1
#define IPA_DEVICE __device__ __forceinline__
#define IPA_BOTH_SIDES __host__ __device__  // sizes that kernel and launch must agree on
// A kernel as the driver finds it, at most THREADS threads a block, at least BLOCKS blocks on a multiprocessor.
#define IPA_KERNEL(THREADS, BLOCKS) extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)
// A row of a kernel's list of instances.
#define IPA_INSTANCE(name, Arguments, threads, blocks, shared_bytes, ...) \
  IPA_KERNEL(threads, blocks) name(Arguments given) { __VA_ARGS__(given); }
#define IPA_UNROLL _Pragma("unroll")
#define IPA_ROLLED _Pragma("unroll 1")
#else
#define IPA_DEVICE inline
#define IPA_BOTH_SIDES
#define IPA_UNROLL
#define IPA_ROLLED
#include "cuda/emulator/calls.h"
#endif
#define IPA_RESTRICT __restrict__

// The bodies of one wrapper. On the card's side __CUDA_ARCH__ tells the capability, 750 for sm_75; nvcc's pass for the
// host sees neither instruction nor emulator.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#define IPA_BEFORE_AMPERE 1
#endif

namespace ipa::cuda {

struct Half {  // fp16
  uint16_t bits;
};
struct BFloat {  // bf16
  uint16_t bits;
};

}  // namespace ipa::cuda
