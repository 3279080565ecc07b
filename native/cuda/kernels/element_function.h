#pragma once
// The element functions of plan/ops.h, in its order, to all but the last digits of f32. NaN goes through every one:
// comparisons are written so that it does.
#include "cuda/device/device.h"

namespace ipa::cuda {

enum class ElementFunction : uint8_t {
  identity,
  relu,
  leaky_relu,
  silu,
  gelu,
  quick_gelu,
  sigmoid,
  tanh,
  exp,
  sqrt,
  abs,
  neg,
  clip,
  floor,
  ceil
};

IPA_DEVICE float silu(float x) { return x / (1.0f + exp_f32(-x)); }
IPA_DEVICE float gelu(float x) { return 0.5f * x * erfc_f32(-0.707106781f * x); }

IPA_DEVICE float element_value(ElementFunction function, float x, float alpha, float beta) {
  switch (function) {
    case ElementFunction::identity:
      return x;
    case ElementFunction::relu:
      return x < 0.0f ? 0.0f : x;
    case ElementFunction::leaky_relu:
      return x < 0.0f ? x * alpha : x;
    case ElementFunction::silu:
      return silu(x);
    case ElementFunction::gelu:
      return gelu(x);
    case ElementFunction::quick_gelu:
      return x / (1.0f + exp_f32(-1.702f * x));
    case ElementFunction::sigmoid:
      return 1.0f / (1.0f + exp_f32(-x));
    case ElementFunction::tanh:
      return tanh_f32(x);
    case ElementFunction::exp:
      return exp_f32(x);
    case ElementFunction::sqrt:
      return sqrt_f32(x);
    case ElementFunction::abs:
      return x < 0.0f ? -x : x + 0.0f;  // not -0
    case ElementFunction::neg:
      return -x;
    case ElementFunction::clip:
      return x < alpha ? alpha : x > beta ? beta : x;
    case ElementFunction::floor:
      return floor_f32(x);
    case ElementFunction::ceil:
      return ceil_f32(x);
  }
  return x;
}

}  // namespace ipa::cuda
