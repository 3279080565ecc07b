#pragma once
// The vector type of one level and the few operations kernels need beyond + - * / on it. Everything lives in the
// namespace of the level, with internal linkage, so no level can end up running another one's instructions.
#include <cstdint>

#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#define IPA_NEON 1
#endif

#define IPA_INLINE static inline __attribute__((always_inline))

// Lanes of two vectors, counted through, as a vector of as many; GCC 11 has only its own spelling.
#if defined(__clang__) || __GNUC__ >= 12
#define IPA_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define IPA_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, decltype((a) == (b)){__VA_ARGS__})
#endif

// The registers that V fills. With IPA_WIDE_VECTORS it has 64 bytes on every CPU, and the compiler splits it.
#if defined(__AVX512F__)
#define IPA_V512 1
#elif defined(IPA_WIDE_VECTORS)
#elif defined(__AVX2__)
#define IPA_V256 1
#elif defined(__SSE2__)
#define IPA_V128 1
#endif

namespace ipa::cpu::IPA_ISA {

// kRows x 2 vectors of sums, two vectors of W and one broadcast fill the register file.
#if defined(IPA_V512) || defined(IPA_WIDE_VECTORS)
inline constexpr int kBytes = 64, kRows = 14;
#elif defined(IPA_V256)
inline constexpr int kBytes = 32, kRows = 6;
#elif defined(__aarch64__)
inline constexpr int kBytes = 16, kRows = 12;
#else
inline constexpr int kBytes = 16, kRows = 6;
#endif
inline constexpr int kLanes = kBytes / 4;  // f32 numbers per vector
inline constexpr int kPanel = 2 * kLanes;  // columns of a tile and of a packed panel

typedef float V __attribute__((vector_size(kBytes)));
typedef int32_t VI __attribute__((vector_size(kBytes)));
typedef uint32_t VU __attribute__((vector_size(kBytes)));
typedef float Unaligned __attribute__((vector_size(kBytes), aligned(4), may_alias));

#if defined(IPA_V512)
inline constexpr __mmask16 kAll = 0xffff;  // some unmasked intrinsics of GCC 12 warn of an uninitialised register
#endif

// The compiler no longer knows where a pointer comes from. trap: of rows at a base and multiples of a step clang keeps
// one pointer each, more than there are registers, and reads them from memory in the innermost loop.
template <typename T>
IPA_INLINE void hide_origin(T*& pointer) {
  asm("" : "+r"(pointer));
}

IPA_INLINE V load(const float* p) { return *reinterpret_cast<const Unaligned*>(p); }
IPA_INLINE void store(float* p, V v) { *reinterpret_cast<Unaligned*>(p) = v; }
IPA_INLINE V splat(float x) { return x - V{}; }  // minus: keeps the sign of -0.0

#if defined(IPA_NEON)
// f of each 16 bytes; V may be four of them.
template <typename F>
IPA_INLINE V by_quads(V v, const F& f) {
  float32x4_t quads[kLanes / 4];
  __builtin_memcpy(quads, &v, sizeof v);
  for (float32x4_t& quad : quads) quad = f(quad);
  __builtin_memcpy(&v, quads, sizeof v);
  return v;
}
#endif

// Past the caches, for what is not read soon: `p` is aligned to the vector. Ends with fence_stored(). Only for whole
// lines: half a line would reach the memory by itself.
IPA_INLINE void store_past(float* p, V v) {
#if defined(IPA_V512)
  _mm512_stream_ps(p, v);
#elif defined(IPA_V256)
  _mm256_stream_ps(p, v);
#else
  store(p, v);
#endif
}
// Before another thread is told of what store_past() wrote.
IPA_INLINE void fence_stored() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}

// The first `count` lanes, count <= kLanes; the others are zero, their memory is not touched.
IPA_INLINE V load_part(const float* p, int64_t count) {
  if (count >= kLanes) return load(p);
#if defined(IPA_V512)
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), p);
#else
  V v = {};
  for (int64_t i = 0; i < count; ++i) v[i] = p[i];
  return v;
#endif
}
IPA_INLINE void store_part(float* p, V v, int64_t count) {
  if (count >= kLanes) return store(p, v);
#if defined(IPA_V512)
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << count) - 1), v);
#else
  for (int64_t i = 0; i < count; ++i) p[i] = v[i];
#endif
}

// a * b + c, one rounding where the level can.
IPA_INLINE V fma(V a, V b, V c) {
#if defined(IPA_V512)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(IPA_V256)
  return _mm256_fmadd_ps(a, b, c);
#elif defined(IPA_NEON)
  float32x4_t x[kLanes / 4], y[kLanes / 4], sums[kLanes / 4];
  __builtin_memcpy(x, &a, sizeof a), __builtin_memcpy(y, &b, sizeof b), __builtin_memcpy(sums, &c, sizeof c);
  for (int i = 0; i < kLanes / 4; ++i) sums[i] = vfmaq_f32(sums[i], x[i], y[i]);
  __builtin_memcpy(&c, sums, sizeof c);
  return c;
#else
  return a * b + c;
#endif
}

// The larger, the smaller of both; b where one of them is NaN.
IPA_INLINE V larger(V a, V b) {
#if defined(IPA_V512)
  return _mm512_maskz_max_ps(kAll, a, b);
#elif defined(IPA_V256)
  return _mm256_max_ps(a, b);
#elif defined(IPA_V128)
  return _mm_max_ps(a, b);
#else
  return a > b ? a : b;
#endif
}
IPA_INLINE V smaller(V a, V b) {
#if defined(IPA_V512)
  return _mm512_maskz_min_ps(kAll, a, b);
#elif defined(IPA_V256)
  return _mm256_min_ps(a, b);
#elif defined(IPA_V128)
  return _mm_min_ps(a, b);
#else
  return a < b ? a : b;
#endif
}

IPA_INLINE V square_root(V x) {
#if defined(IPA_V512)
  return _mm512_maskz_sqrt_ps(kAll, x);
#elif defined(IPA_V256)
  return _mm256_sqrt_ps(x);
#elif defined(IPA_V128)
  return _mm_sqrt_ps(x);
#elif defined(IPA_NEON)
  return by_quads(x, vsqrtq_f32);
#else
  for (int i = 0; i < kLanes; ++i) x[i] = __builtin_sqrtf(x[i]);
  return x;
#endif
}

IPA_INLINE bool any(VI condition) {
#if defined(IPA_V512)
  return _mm512_test_epi32_mask(reinterpret_cast<__m512i>(condition), reinterpret_cast<__m512i>(condition)) != 0;
#elif defined(IPA_V256)
  return _mm256_movemask_ps(reinterpret_cast<__m256>(condition)) != 0;
#elif defined(IPA_V128)
  return _mm_movemask_ps(reinterpret_cast<__m128>(condition)) != 0;
#elif defined(IPA_NEON)
  uint32x4_t quads[kLanes / 4];
  __builtin_memcpy(quads, &condition, sizeof condition);
  for (int i = 1; i < kLanes / 4; ++i) quads[0] = vorrq_u32(quads[0], quads[i]);
  return vmaxvq_u32(quads[0]) != 0;
#else
  int32_t all = 0;
  for (int i = 0; i < kLanes; ++i) all |= condition[i];
  return all != 0;
#endif
}

IPA_INLINE float sum(V v) {
  float s[kLanes];
  store(s, v);
  for (int step = kLanes / 2; step > 0; step /= 2)
    for (int i = 0; i < step; ++i) s[i] += s[i + step];
  return s[0];
}

typedef float V4 __attribute__((vector_size(16)));
typedef float Unaligned4 __attribute__((vector_size(16), aligned(4), may_alias));

// to[c * to_step + r] = from[r * from_step + c] for r < rows, c < columns; blocks of 4 x 4 go through registers.
IPA_INLINE void transpose(const float* from, int64_t from_step, float* to, int64_t to_step, int64_t rows,
                          int64_t columns) {
  const int64_t rows4 = rows & ~int64_t{3}, columns4 = columns & ~int64_t{3};
  const auto at = [](const float* p) { return static_cast<V4>(*reinterpret_cast<const Unaligned4*>(p)); };
  const auto put = [](float* p, V4 v) { *reinterpret_cast<Unaligned4*>(p) = v; };
  for (int64_t r = 0; r < rows4; r += 4) {
    const float* f = from + r * from_step;
    for (int64_t c = 0; c < columns4; c += 4) {
      const V4 x0 = at(f + c), x1 = at(f + from_step + c), x2 = at(f + 2 * from_step + c),
               x3 = at(f + 3 * from_step + c);
      const V4 a = IPA_SHUFFLE(x0, x1, 0, 4, 1, 5), b = IPA_SHUFFLE(x0, x1, 2, 6, 3, 7);
      const V4 d = IPA_SHUFFLE(x2, x3, 0, 4, 1, 5), e = IPA_SHUFFLE(x2, x3, 2, 6, 3, 7);
      float* t = to + c * to_step + r;
      put(t, IPA_SHUFFLE(a, d, 0, 1, 4, 5));
      put(t + to_step, IPA_SHUFFLE(a, d, 2, 3, 6, 7));
      put(t + 2 * to_step, IPA_SHUFFLE(b, e, 0, 1, 4, 5));
      put(t + 3 * to_step, IPA_SHUFFLE(b, e, 2, 3, 6, 7));
    }
    for (int64_t c = columns4; c < columns; ++c)
      for (int64_t i = 0; i < 4; ++i) to[c * to_step + r + i] = f[i * from_step + c];
  }
  for (int64_t r = rows4; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) to[c * to_step + r] = from[r * from_step + c];
}

// What an inner loop asks to be brought to L2 meanwhile: `step` bytes further with every step. trap: handed over by
// reference and read member by member. As a value it goes over the stack, and clang copies it as one vector, which
// waits for every store before it.
struct Ahead {
  const char* from;
  int64_t step;
};

IPA_INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
IPA_INLINE int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
IPA_INLINE int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace ipa::cpu::IPA_ISA
