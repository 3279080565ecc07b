#pragma once
// Mean, sum, maximum or length over the middle of [outer][count][inner] -> [outer][inner]. Image prompts ask for the
// mean of their tokens.
//
// Tile: a thread per result, which adds its numbers in order (f64: exact to the last digit of f32, and few).
// Bound: memory where inner is some hundreds. Measured fraction of the bound: none yet, no card has run it.
#include "cuda/kernels/spread.h"

namespace ipa::cuda {

// In the order of plan/ops.h.
enum class ReduceFunction : uint8_t { mean, sum, max, l2 };

struct ReduceArguments {
  const float* x;  // [outer][count][inner]
  float* y;        // [outer][inner]
  int32_t outer, count, inner;
  ReduceFunction function;
};

IPA_DEVICE void reduce(const ReduceArguments& arguments) {
  const uint32_t inner = static_cast<uint32_t>(arguments.inner);
  for_each_index(arguments.outer * arguments.inner, [&](uint32_t i) {
    const float* const x = arguments.x + static_cast<size_t>(i / inner) * arguments.count * inner + i % inner;
    double sum = 0;
    float highest = x[0];
    for (int j = 0; j < arguments.count; ++j) {
      const float value = x[static_cast<size_t>(j) * inner];
      sum += arguments.function == ReduceFunction::l2 ? static_cast<double>(value) * value : value;
      if (value > highest || value != value) highest = value;
    }
    switch (arguments.function) {
      case ReduceFunction::mean:
        arguments.y[i] = static_cast<float>(sum / arguments.count);
        break;
      case ReduceFunction::sum:
        arguments.y[i] = static_cast<float>(sum);
        break;
      case ReduceFunction::max:
        arguments.y[i] = highest;
        break;
      case ReduceFunction::l2:
        arguments.y[i] = static_cast<float>(sqrt_f64(sum));
        break;
    }
  });
}

}  // namespace ipa::cuda

// Instances, <op>_f32: X(name, arguments, threads, blocks, bytes of shared memory, function).
#define IPA_REDUCE(X) X(reduce_f32, ReduceArguments, kElementThreads, 1, 0, reduce)
