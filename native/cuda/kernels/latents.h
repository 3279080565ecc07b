#pragma once
// What a step loop does between the runs of a plan (plan/backend.h): combine, guide, finite; and copy_many, which moves
// a step's rows to where the plan reads them.
//
// Tile: none, every thread takes its indices of the grid; guide with rescale is one block, so that its sums have one
// order. Bound: the launch itself, these are some ten thousand numbers.
// Measured fraction of the bound: none yet, no card has run it.
#include "cuda/kernels/block_sum.h"
#include "cuda/kernels/spread.h"

namespace ipa::cuda {

constexpr int kMostTerms = 8;

// out[i] = the sum of factor * x[i] over the terms, in f64, in their order: the bits of the CPU. out may be one of the
// x.
struct CombineArguments {
  double factors[kMostTerms];  // where 0, x is not read
  const float* x[kMostTerms];
  float* out;
  int32_t terms, count;
};

IPA_DEVICE void combine(const CombineArguments& arguments) {
  for_each_index(arguments.count, [&](uint32_t i) {
    double sum = 0;
    for (int term = 0; term < arguments.terms; ++term) {
      const double factor = arguments.factors[term];
      if (factor != 0) sum = add_f64(sum, multiply_f64(factor, static_cast<double>(arguments.x[term][i])));
    }
    arguments.out[i] = static_cast<float>(sum);
  });
}

// out = u + scale (c - u); with rescale > 0, out is then brought part of the way back to the deviation of c. out may be
// u or c. source: arXiv 2305.08891, 3.4
struct GuideArguments {
  const float* u;  // [count], unconditional
  const float* c;  // [count], conditional
  float* out;      // [count]
  double scale, rescale;
  int32_t count;
};

IPA_DEVICE float guided(const GuideArguments& arguments, size_t i) {
  const double u = static_cast<double>(arguments.u[i]), c = static_cast<double>(arguments.c[i]);
  return static_cast<float>(add_f64(u, multiply_f64(arguments.scale, c - u)));
}

// rescale is 0
IPA_DEVICE void guide(const GuideArguments& arguments) {
  for_each_index(arguments.count, [&](uint32_t i) { arguments.out[i] = guided(arguments, i); });
}

constexpr int kGuideThreads = 512;
constexpr int kGuideSharedBytes = kGuideThreads * 8;

// One block. Each thread reads and writes its own numbers only, so out may be u or c without a barrier.
IPA_DEVICE void guide_rescaled(const GuideArguments& arguments) {
  double* const shared = shared_memory<double>();
  const int first = static_cast<int>(thread_index()), step = static_cast<int>(block_threads());
  const int count = arguments.count;
  // Unbiased, over all numbers.
  const auto deviation = [&](const float* x, double sum) {
    const double mean = block_sum(sum, shared) / count;
    double squares = 0;
    for (int i = first; i < count; i += step) {
      const double difference = static_cast<double>(x[i]) - mean;
      squares += difference * difference;
    }
    return sqrt_f64(block_sum(squares, shared) / (count - 1));
  };
  double sum = 0;
  for (int i = first; i < count; i += step) sum += static_cast<double>(arguments.c[i]);
  const double spread = deviation(arguments.c, sum);
  sum = 0;
  for (int i = first; i < count; i += step) {
    const float y = guided(arguments, i);
    arguments.out[i] = y, sum += static_cast<double>(y);
  }
  const double factor = arguments.rescale * spread / deviation(arguments.out, sum) + (1 - arguments.rescale);
  for (int i = first; i < count; i += step)
    arguments.out[i] = static_cast<float>(factor * static_cast<double>(arguments.out[i]));
}

// Adds to the flag when any number is NaN or Inf: both have all exponent bits set.
struct FiniteArguments {
  const float* x;
  uint32_t* flag;  // 0 before; stays so when all are finite
  int32_t count;
};

IPA_DEVICE void finite(const FiniteArguments& arguments) {
  bool bad = false;
  for_each_index(arguments.count,
                 [&](uint32_t i) { bad = bad || (bits_of(arguments.x[i]) & 0x7f800000u) == 0x7f800000u; });
  if (warp_any(bad) && lane_index() == 0) atomic_add(arguments.flag, 1);
}

constexpr int kMostCopies = 128;

// Row y of the grid does copy number y. They do not overlap; addresses and bytes are multiples of 4.
struct CopyManyArguments {
  struct Part {
    const void* from;
    void* to;
    int64_t bytes;
  };
  Part parts[kMostCopies];
};

IPA_DEVICE void copy_many(const CopyManyArguments& arguments) {
  const CopyManyArguments::Part& part = arguments.parts[block_index().y];
  for_each_index(static_cast<int32_t>(part.bytes / 4),
                 [&](uint32_t i) { static_cast<uint32_t*>(part.to)[i] = static_cast<const uint32_t*>(part.from)[i]; });
}

}  // namespace ipa::cuda

// Instances, <op>_f32: X(name, arguments, threads, blocks, bytes of shared memory, function).
#define IPA_LATENTS(X)                                                                       \
  X(combine_f32, CombineArguments, kElementThreads, 1, 0, combine)                           \
  X(guide_f32, GuideArguments, kElementThreads, 1, 0, guide)                                 \
  X(guide_rescaled_f32, GuideArguments, kGuideThreads, 1, kGuideSharedBytes, guide_rescaled) \
  X(finite_f32, FiniteArguments, kElementThreads, 1, 0, finite)                              \
  X(copy_many_words, CopyManyArguments, kElementThreads, 1, 0, copy_many)
