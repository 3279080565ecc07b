#pragma once
// Functions to nearly all digits, where the fast ones of math.h are too coarse; numbers of 64 bits, for the few sums
// that need them. multiply_f64 and add_f64 are never merged into one rounding.
#include "cuda/device/types.h"
#if !defined(IPA_ON_CARD)
#include <cmath>
#endif

namespace ipa::cuda {

#if defined(IPA_ON_CARD)

IPA_DEVICE float exp_f32(float x) { return expf(x); }
IPA_DEVICE float erfc_f32(float x) { return erfcf(x); }  // 1 - erf, without the digits that the difference loses
IPA_DEVICE float tanh_f32(float x) { return tanhf(x); }
IPA_DEVICE float pow_f32(float x, float y) { return powf(x, y); }
IPA_DEVICE float sqrt_f32(float x) { return __fsqrt_rn(x); }
IPA_DEVICE float floor_f32(float x) { return floorf(x); }
IPA_DEVICE float ceil_f32(float x) { return ceilf(x); }
IPA_DEVICE double exp_f64(double x) { return exp(x); }
IPA_DEVICE double cos_pi_f64(double x) { return cospi(x); }  // of pi x: no table in local memory, as cos has
IPA_DEVICE double sin_pi_f64(double x) { return sinpi(x); }
IPA_DEVICE double sqrt_f64(double x) { return __dsqrt_rn(x); }
IPA_DEVICE double multiply_f64(double a, double b) { return __dmul_rn(a, b); }
IPA_DEVICE double add_f64(double a, double b) { return __dadd_rn(a, b); }

#else

inline float exp_f32(float x) { return std::exp(x); }
inline float erfc_f32(float x) { return std::erfc(x); }
inline float tanh_f32(float x) { return std::tanh(x); }
inline float pow_f32(float x, float y) { return std::pow(x, y); }
inline float sqrt_f32(float x) { return std::sqrt(x); }
inline float floor_f32(float x) { return std::floor(x); }
inline float ceil_f32(float x) { return std::ceil(x); }
inline double exp_f64(double x) { return std::exp(x); }
inline double cos_pi_f64(double x) { return std::cos(3.14159265358979324 * x); }
inline double sin_pi_f64(double x) { return std::sin(3.14159265358979324 * x); }
inline double sqrt_f64(double x) { return std::sqrt(x); }
inline double multiply_f64(double a, double b) { return a * b; }
inline double add_f64(double a, double b) { return a + b; }

#endif

}  // namespace ipa::cuda
