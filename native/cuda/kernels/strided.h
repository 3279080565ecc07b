#pragma once
// Ops over up to kMostDims dimensions, the innermost first, unlike in plan/ops.h: rearrange, pad, binary.
//
// Tile: none, every thread takes its numbers of the grid, at most 2^31 - 1. The innermost dimension is walked by
// neighbouring threads, so copies with an innermost stride of 1 read and write whole lines.
// Loops over the dimensions are unrolled, since arguments at a place that is not constant would be copied to local
// memory. Bound: memory; a division per dimension and number comes close to it. Measured fraction of the bound: none
// yet, no card has run it.
#include "cuda/kernels/spread.h"

namespace ipa::cuda {

constexpr int kMostDims = 8;

// y[i0, i1, ...] = x[offset + sum of i_k strides[k]]
struct RearrangeArguments {
  const float* x;
  float* y;
  int64_t offset;
  int64_t strides[kMostDims];  // numbers
  int32_t dims[kMostDims];
  int32_t rank, count;  // count: the product of dims
};

IPA_DEVICE void rearrange(const RearrangeArguments& arguments) {
  for_each_index(arguments.count, [&](uint32_t i) {
    int64_t at = arguments.offset;
    uint32_t rest = i;
    IPA_UNROLL
    for (int k = 0; k < kMostDims; ++k) {
      if (k >= arguments.rank) break;
      const uint32_t size = static_cast<uint32_t>(arguments.dims[k]);
      at += static_cast<int64_t>(rest % size) * arguments.strides[k];
      rest /= size;
    }
    arguments.y[i] = arguments.x[at];
  });
}

// y = x framed by `value`
struct PadArguments {
  const float* x;
  float* y;
  int32_t dims[kMostDims];      // of x
  int32_t before[kMostDims];    // frame in front of it
  int32_t out_dims[kMostDims];  // of y
  int32_t rank, count;          // count: the product of out_dims
  float value;
};

IPA_DEVICE void pad(const PadArguments& arguments) {
  for_each_index(arguments.count, [&](uint32_t i) {
    size_t at = 0, step = 1;
    uint32_t rest = i;
    bool inside = true;
    IPA_UNROLL
    for (int k = 0; k < kMostDims; ++k) {
      if (k >= arguments.rank) break;
      const uint32_t size = static_cast<uint32_t>(arguments.out_dims[k]),
                     dim = static_cast<uint32_t>(arguments.dims[k]);
      const uint32_t place = rest % size - static_cast<uint32_t>(arguments.before[k]);  // huge where it is in front
      inside = inside && place < dim;
      at += place * step, step *= dim, rest /= size;
    }
    arguments.y[i] = inside ? arguments.x[at] : arguments.value;
  });
}

// In the order of plan/ops.h; prelu: a < 0 ? a * b : a
enum class BinaryFunction : uint8_t { add, sub, mul, div, pow, prelu, min, max };

// y[i] = function(a[i . strides_a], b[i . strides_b])
struct BinaryArguments {
  const float* a;
  const float* b;
  float* y;
  int64_t strides_a[kMostDims], strides_b[kMostDims];  // numbers; 0 repeats
  int32_t dims[kMostDims];
  int32_t rank, count;  // count: the product of dims
  BinaryFunction function;
};

IPA_DEVICE float binary_value(BinaryFunction function, float a, float b) {
  switch (function) {
    case BinaryFunction::add:
      return a + b;
    case BinaryFunction::sub:
      return a - b;
    case BinaryFunction::mul:
      return a * b;
    case BinaryFunction::div:
      return a / b;
    case BinaryFunction::pow:
      return pow_f32(a, b);
    case BinaryFunction::prelu:
      return a < 0.0f ? a * b : a;
    case BinaryFunction::min:  // NaN on either side comes through
      return b < a || b != b ? b : a;
    case BinaryFunction::max:
      return b > a || b != b ? b : a;
  }
  return a;
}

IPA_DEVICE void binary(const BinaryArguments& arguments) {
  for_each_index(arguments.count, [&](uint32_t i) {
    int64_t at_a = 0, at_b = 0;
    uint32_t rest = i;
    IPA_UNROLL
    for (int k = 0; k < kMostDims; ++k) {
      if (k >= arguments.rank) break;
      const uint32_t size = static_cast<uint32_t>(arguments.dims[k]), place = rest % size;
      at_a += static_cast<int64_t>(place) * arguments.strides_a[k];
      at_b += static_cast<int64_t>(place) * arguments.strides_b[k];
      rest /= size;
    }
    arguments.y[i] = binary_value(arguments.function, arguments.a[at_a], arguments.b[at_b]);
  });
}

}  // namespace ipa::cuda

// Instances, <op>_f32: X(name, arguments, threads, blocks, bytes of shared memory, function).
#define IPA_STRIDED(X)                                                   \
  X(rearrange_f32, RearrangeArguments, kElementThreads, 1, 0, rearrange) \
  X(pad_f32, PadArguments, kElementThreads, 1, 0, pad)                   \
  X(binary_f32, BinaryArguments, kElementThreads, 1, 0, binary)
