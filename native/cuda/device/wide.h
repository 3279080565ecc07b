#pragma once
// Neighbours in global memory as one access: 1 or 4 numbers, f32 in registers. The address is a multiple of all of them
// together.
#include "cuda/device/math.h"
#include "cuda/device/types.h"

namespace ipa::cuda {

#if defined(IPA_ON_CARD)

template <int kWide>
IPA_DEVICE void load_numbers(const float* from, float (&to)[kWide]) {
  static_assert(kWide == 1 || kWide == 4, "what the kernels use");
  if constexpr (kWide == 1) {
    to[0] = *from;
  } else {
    const float4 words = *reinterpret_cast<const float4*>(from);
    to[0] = words.x, to[1] = words.y, to[2] = words.z, to[3] = words.w;
  }
}

template <typename T, int kWide>
IPA_DEVICE void load_numbers(const T* from, float (&to)[kWide]) {
  static_assert(sizeof(T) == 2 && (kWide == 1 || kWide == 4), "what the kernels use");
  if constexpr (kWide == 1) {
    to[0] = to_float(*from);
  } else {
    const uint2 words = *reinterpret_cast<const uint2*>(from);
    to[0] = to_float(T{static_cast<uint16_t>(words.x)}), to[1] = to_float(T{static_cast<uint16_t>(words.x >> 16)});
    to[2] = to_float(T{static_cast<uint16_t>(words.y)}), to[3] = to_float(T{static_cast<uint16_t>(words.y >> 16)});
  }
}

template <int kWide>
IPA_DEVICE void store_numbers(float* to, const float (&from)[kWide]) {
  static_assert(kWide == 1 || kWide == 4, "what the kernels use");
  if constexpr (kWide == 1)
    *to = from[0];
  else
    *reinterpret_cast<float4*>(to) = make_float4(from[0], from[1], from[2], from[3]);
}

template <typename T, int kWide>
IPA_DEVICE void store_numbers(T* to, const float (&from)[kWide]) {
  static_assert(sizeof(T) == 2 && (kWide == 1 || kWide == 4), "what the kernels use");
  if constexpr (kWide == 1)
    convert(from[0], *to);
  else
    *reinterpret_cast<uint2*>(to) = make_uint2(pack<T>(from[0], from[1]), pack<T>(from[2], from[3]));
}

#else

template <typename T, int kWide>
void load_numbers(const T* from, float (&to)[kWide]) {
  static_assert(kWide == 1 || kWide == 4, "what the kernels use");
  emulator::check_aligned(from, sizeof(T) * kWide, "load_numbers");
  for (int i = 0; i < kWide; ++i) to[i] = to_float(from[i]);
}

template <typename T, int kWide>
void store_numbers(T* to, const float (&from)[kWide]) {
  static_assert(kWide == 1 || kWide == 4, "what the kernels use");
  emulator::check_aligned(to, sizeof(T) * kWide, "store_numbers");
  for (int i = 0; i < kWide; ++i) convert(from[i], to[i]);
}

#endif

}  // namespace ipa::cuda
