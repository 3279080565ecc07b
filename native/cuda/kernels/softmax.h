#pragma once
// y = exp(x - highest) / sum of these, per row. x [rows][columns] f32; y f32, or of 16 bits where a product reads it
// (the VAE's attention: rows of up to 16384 scores).
//
// Tile: a block per row, blocks stride over the rows; three passes over the row, of which the later two find it in L2.
// Bound: memory, 4 bytes read and 4 (16 bits: 2) written per number. Measured fraction of the bound: none yet, no card
// has run it.
#include "cuda/kernels/block_sum.h"

namespace ipa::cuda {

constexpr int kSoftmaxThreads = 256;
constexpr int kSoftmaxSharedBytes = kSoftmaxThreads * 4;

struct SoftmaxArguments {
  const float* x;  // [rows][columns]
  void* y;         // [rows][columns]
  int32_t rows, columns;
};

template <typename Out>
IPA_DEVICE void softmax(const SoftmaxArguments& arguments) {
  float* const shared = shared_memory<float>();
  const int thread = static_cast<int>(thread_index()), threads = static_cast<int>(block_threads());
  for (uint32_t row = block_index().x; row < static_cast<uint32_t>(arguments.rows); row += grid_size().x) {
    const size_t offset = static_cast<size_t>(row) * arguments.columns;
    const float* const x = arguments.x + offset;
    float highest = x[0];
    for (int i = thread; i < arguments.columns; i += threads) highest = Highest{}(highest, x[i]);
    highest = block_join(highest, shared, Highest{});
    float total = 0;
    for (int i = thread; i < arguments.columns; i += threads) total += exp_f32(x[i] - highest);
    total = block_sum(total, shared);
    Out* const y = static_cast<Out*>(arguments.y) + offset;
    for (int i = thread; i < arguments.columns; i += threads) convert(exp_f32(x[i] - highest) / total, y[i]);
  }
}

}  // namespace ipa::cuda

// Instances, <op>_<output>: X(name, arguments, threads, blocks, bytes of shared memory, function).
#define IPA_SOFTMAX(X)                                                                        \
  X(softmax_f16, SoftmaxArguments, kSoftmaxThreads, 1, kSoftmaxSharedBytes, softmax<Half>)    \
  X(softmax_bf16, SoftmaxArguments, kSoftmaxThreads, 1, kSoftmaxSharedBytes, softmax<BFloat>) \
  X(softmax_f32, SoftmaxArguments, kSoftmaxThreads, 1, kSoftmaxSharedBytes, softmax<float>)
