#pragma once
// Exponential and what is built on it, over vectors. Polynomials are weighted minimax fits made for this file; errors
// are against f64. A NaN comes out as a NaN everywhere.
#include "cpu/kernels/vec.h"
#include "plan/ops.h"

namespace ipa::cpu::IPA_ISA {

// 2^f for f in [-0.5, 0.5], relative error 2e-9 before rounding.
IPA_INLINE V exp2_fraction(V f) {
  V p = splat(0.00015353361959569156f);
  p = fma(p, f, splat(0.0013398873852565885f));
  p = fma(p, f, splat(0.00961843691766262f));
  p = fma(p, f, splat(0.055503323674201965f));
  p = fma(p, f, splat(0.24022647738456726f));
  p = fma(p, f, splat(0.6931471824645996f));
  return fma(p, f, splat(1.0f));
}

IPA_INLINE V magnitude(V x) { return reinterpret_cast<V>(reinterpret_cast<VI>(x) & 0x7fffffff); }

IPA_INLINE V nearest(V x) {  // whole number, |x| < 2^31
#if defined(IPA_V512)
  return _mm512_maskz_roundscale_ps(kAll, x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif defined(IPA_V256)
  return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#elif defined(IPA_V128)
  return _mm_cvtepi32_ps(_mm_cvtps_epi32(x));
#elif defined(IPA_NEON)
  return by_quads(x, vrndnq_f32);
#else
  VI n = {};
  for (int i = 0; i < kLanes; ++i) n[i] = static_cast<int32_t>(__builtin_rintf(x[i]));
  return __builtin_convertvector(n, V);
#endif
}

// The whole number at or below x.
IPA_INLINE V floor(V x) {
  const V n = nearest(x);
  const V below = n > x ? n - splat(1.0f) : n;
  return magnitude(x) < splat(8388608.0f) ? below : x;  // from 2^23 on there is no fraction
}

// p * 2^n, n a whole number in [-127, 127]; n = -127 gives 0.
IPA_INLINE V scale2(V p, V n) {
#if defined(IPA_V512)
  return _mm512_maskz_scalef_ps(kAll, p, n);
#else
  return p * reinterpret_cast<V>((__builtin_convertvector(n, VI) + 127) << 23);
#endif
}

// 2^x for x <= 0, relative error 1e-7; exactly 0 below -127 at the latest.
IPA_INLINE V exp2_negative(V x) {
  x = larger(splat(-127.0f), x);
  const V n = nearest(x);
  return scale2(exp2_fraction(x - n), n);
}

// e^x over the whole range, relative error 1.3e-7: the argument is reduced in two steps.
IPA_INLINE V exp(V x) {
  x = smaller(splat(89.0f), larger(splat(-104.0f), x));  // infinity above, 0 below
  const V n = nearest(x * splat(1.44269504f));
  const V rest = fma(n, splat(2.12194440e-4f), fma(n, splat(-0.693359375f), x));  // ln 2 = high - low
  const V p = exp2_fraction(rest * splat(1.44269504f));
#if defined(IPA_V512)
  return scale2(p, n);
#else
  const V half = nearest(n * splat(0.5f));  // in two steps, or 2^128 and the subnormal results were lost
  return scale2(scale2(p, half), n - half);
#endif
}

IPA_INLINE V sigmoid(V x) { return splat(1.0f) / (splat(1.0f) + exp(-x)); }
IPA_INLINE V silu(V x) { return x / (splat(1.0f) + exp(-x)); }
IPA_INLINE V quick_gelu(V x) { return x / (splat(1.0f) + exp(x * splat(-1.702f))); }

// x Phi(x) with erfc(|x| / sqrt 2) = 2^R(|x|). The fit is weighted for absolute error: 1e-7 below 1, relative above.
// The left tail is small but not relatively exact (4e-3 near -5, where the result is 1e-6).
IPA_INLINE V gelu(V x) {
  const V a = smaller(splat(9.0f), magnitude(x));
  V r = splat(-1.9020664012714406e-06f);
  r = fma(r, a, splat(2.8056951123289764e-05f));
  r = fma(r, a, splat(-0.00013147327990736812f));
  r = fma(r, a, splat(-0.00027207558741793036f));
  r = fma(r, a, splat(0.007245420943945646f));
  r = fma(r, a, splat(-0.05262761190533638f));
  r = fma(r, a, splat(-0.4591621458530426f));
  r = fma(r, a, splat(-1.1511110067367554f));
  const V tail = splat(0.5f) * x * exp2_negative(r * a);
  return x < V{} ? tail : x - tail;
}

IPA_INLINE V tanh(V x) {
  const V u = x * x;
  V p = splat(0.01477634534239769f);
  p = fma(p, u, splat(-0.051660746335983276f));
  p = fma(p, u, splat(0.1330234855413437f));
  p = fma(p, u, splat(-0.33332014083862305f));
  const V near_zero = fma(p * u, x, x);
  const V far = splat(1.0f) - splat(2.0f) / (exp(x + x) + splat(1.0f));
  return magnitude(x) < splat(0.6f) ? near_zero : far;
}

template <Function F>
IPA_INLINE V activate(V x) {
  if constexpr (F == Function::relu) return x < V{} ? V{} : x;
  if constexpr (F == Function::silu) return silu(x);
  if constexpr (F == Function::gelu) return gelu(x);
  if constexpr (F == Function::quick_gelu) return quick_gelu(x);
  return x;
}

}  // namespace ipa::cpu::IPA_ISA
