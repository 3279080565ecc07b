#pragma once
// Numbers as weight files have them, made f32 a vector at a time, and back.
#include "core/dtype.h"
#include "cpu/kernels/vec.h"

namespace ipa::cpu::IPA_ISA {

struct F16 {
  uint16_t bits;
};
struct Bf16 {
  uint16_t bits;
};
typedef uint16_t Halves __attribute__((vector_size(kBytes / 2)));
typedef uint16_t UnalignedHalves __attribute__((vector_size(kBytes / 2), aligned(2), may_alias));

// kLanes numbers from `p` on.
IPA_INLINE V load_f32(const float* p) { return load(p); }
IPA_INLINE V load_f32(const Bf16* p) {
  const Halves bits = *reinterpret_cast<const UnalignedHalves*>(p);
  return reinterpret_cast<V>(__builtin_convertvector(bits, VU) << 16);
}
IPA_INLINE V load_f32(const F16* p) {
#if defined(IPA_V512)
  return _mm512_maskz_cvtph_ps(kAll, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
#elif defined(IPA_V256)
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
#elif defined(IPA_NEON)
  float32x4_t quads[kLanes / 4];
  for (int i = 0; i < kLanes / 4; ++i) quads[i] = vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(&p[i * 4].bits)));
  V v;
  __builtin_memcpy(&v, quads, sizeof v);
  return v;
#else
  // A product moves the exponent, which also makes subnormals right; what was infinite or NaN gets its exponent back.
  const Halves halves = *reinterpret_cast<const UnalignedHalves*>(p);
  const VU bits = __builtin_convertvector(halves, VU);
  const VU magnitude = (bits & 0x7fffu) << 13;
  const VU special = magnitude >= 0x0f800000u ? VU{} + 0x7f800000u : VU{};
  return reinterpret_cast<V>(reinterpret_cast<VU>(reinterpret_cast<V>(magnitude) * 0x1p112f) | special |
                             (bits & 0x8000u) << 16);
#endif
}

// The first `count` numbers, count <= kLanes; the other lanes are zero, their memory is not touched.
template <typename From>
IPA_INLINE V load_f32(const From* p, int64_t count) {
  if (count >= kLanes) return load_f32(p);
  From part[kLanes] = {};
  for (int64_t i = 0; i < count; ++i) part[i] = p[i];
  return load_f32(part);
}

// One number.
IPA_INLINE float f32(float x) { return x; }
template <typename From>
IPA_INLINE float f32(From x) {
  return load_f32(&x, 1)[0];
}

// kLanes numbers to `p`, rounded to nearest even.
IPA_INLINE void store_f32(float* p, V v) { store(p, v); }
IPA_INLINE void store_f32(Bf16* p, V v) {
  for (int i = 0; i < kLanes; ++i) p[i].bits = f32_to_bf16(v[i]);
}
IPA_INLINE void store_f32(F16* p, V v) {
#if defined(IPA_V512)
  const __m256i halves = _mm512_maskz_cvtps_ph(kAll, v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), halves);
#elif defined(IPA_V256)
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
#elif defined(IPA_NEON)
  float32x4_t quads[kLanes / 4];
  __builtin_memcpy(quads, &v, sizeof v);
  for (int i = 0; i < kLanes / 4; ++i) vst1_u16(&p[i * 4].bits, vreinterpret_u16_f16(vcvt_f16_f32(quads[i])));
#else
  for (int i = 0; i < kLanes; ++i) p[i].bits = f32_to_f16(v[i]);
#endif
}

// 16 bits of any meaning: they pass through the lower half of a lane.
struct Bits {
  uint16_t bits;
};
IPA_INLINE V load_f32(const Bits* p) {
  return reinterpret_cast<V>(__builtin_convertvector(*reinterpret_cast<const UnalignedHalves*>(p), VU));
}
IPA_INLINE void store_f32(Bits* p, V v) {
  *reinterpret_cast<UnalignedHalves*>(p) = __builtin_convertvector(reinterpret_cast<VU>(v), Halves);
}

// f(pointer to the numbers) as their type says.
template <typename F>
IPA_INLINE void with_type(DType type, const void* numbers, const F& f) {
  if (type == DType::f16) return f(static_cast<const F16*>(numbers));
  if (type == DType::bf16) return f(static_cast<const Bf16*>(numbers));
  return f(static_cast<const float*>(numbers));
}

}  // namespace ipa::cpu::IPA_ISA
