#pragma once
// Numbers: f32 to and from 16 bits (to nearest even), pairs in a word, and the fast functions of the card.
#include "cuda/device/types.h"
#if !defined(IPA_ON_CARD)
#include <cmath>
#include <cstring>
#endif

namespace ipa::cuda {

#if defined(IPA_ON_CARD)

IPA_DEVICE float to_float(Half value) {
  float result;
  asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(value.bits));
  return result;
}
IPA_DEVICE float to_float(BFloat value) { return __uint_as_float(static_cast<uint32_t>(value.bits) << 16); }

IPA_DEVICE void convert(float value, Half& to) { asm("cvt.rn.f16.f32 %0, %1;" : "=h"(to.bits) : "f"(value)); }
IPA_DEVICE void convert(float value, BFloat& to) {
#if defined(IPA_BEFORE_AMPERE)
  const uint32_t bits = __float_as_uint(value);
  const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
  to.bits = nan ? 0x7fff : static_cast<uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
#else
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(to.bits) : "f"(value));
#endif
}

#if !defined(IPA_BEFORE_AMPERE)
// The instruction names the high half first.
IPA_DEVICE uint32_t packed(Half, float first, float second) {
  uint32_t word;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(second), "f"(first));
  return word;
}
IPA_DEVICE uint32_t packed(BFloat, float first, float second) {
  uint32_t word;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(word) : "f"(second), "f"(first));
  return word;
}
#endif

// Relative error below 2^-22; 2^-126 and less may become 0.
IPA_DEVICE float exp2_fast(float x) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}
IPA_DEVICE float rsqrt_fast(float x) { return rsqrtf(x); }
IPA_DEVICE float divide_fast(float a, float b) { return __fdividef(a, b); }
IPA_DEVICE float larger(float a, float b) { return fmaxf(a, b); }  // the number where one is NaN
IPA_DEVICE float error_function(float x) { return erff(x); }

IPA_DEVICE void store_word(void* to, uint32_t word) { *static_cast<uint32_t*>(to) = word; }
IPA_DEVICE void store_pair(float* to, float first, float second) {
  *reinterpret_cast<float2*>(to) = make_float2(first, second);
}
IPA_DEVICE void load_pair(const float* from, float& first, float& second) {
  const float2 pair = *reinterpret_cast<const float2*>(from);
  first = pair.x, second = pair.y;
}

#else

inline float to_float(Half value) { return emulator::from_half(value.bits); }
inline float to_float(BFloat value) { return emulator::from_bfloat(value.bits); }
inline void convert(float value, Half& to) { to.bits = emulator::to_half(value); }
inline void convert(float value, BFloat& to) { to.bits = emulator::to_bfloat(value); }
inline float exp2_fast(float x) { return std::exp2(x); }
inline float rsqrt_fast(float x) { return 1 / std::sqrt(x); }
inline float divide_fast(float a, float b) { return a / b; }
inline float larger(float a, float b) { return std::fmax(a, b); }
inline float error_function(float x) { return std::erf(x); }
inline void store_word(void* to, uint32_t word) { std::memcpy(to, &word, sizeof word); }
inline void store_pair(float* to, float first, float second) { to[0] = first, to[1] = second; }
inline void load_pair(const float* from, float& first, float& second) { first = from[0], second = from[1]; }

#endif

IPA_DEVICE float to_float(float value) { return value; }
IPA_DEVICE void convert(float value, float& to) { to = value; }

template <typename T>
IPA_DEVICE T from_float(float value) {
  T result;
  convert(value, result);
  return result;
}

// Two numbers in a word, the first in the low half.
template <typename T>
IPA_DEVICE uint32_t pack(float first, float second) {
#if defined(IPA_ON_CARD) && !defined(IPA_BEFORE_AMPERE)
  return packed(T{}, first, second);
#else
  return from_float<T>(first).bits | static_cast<uint32_t>(from_float<T>(second).bits) << 16;
#endif
}

// Two neighbours in global memory in one store; the address is a multiple of both together.
IPA_DEVICE void store_pair(Half* to, float first, float second) { store_word(to, pack<Half>(first, second)); }
IPA_DEVICE void store_pair(BFloat* to, float first, float second) { store_word(to, pack<BFloat>(first, second)); }

}  // namespace ipa::cuda
