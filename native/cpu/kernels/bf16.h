#pragma once
// bf16 operands: rounding to them (nearest even, NaN stays NaN) and the one packed layout that both kinds of product
// read. It is the B tile of the AMX instructions: for 32 values of k and a panel of 32 columns two tiles of 16 columns,
// each 16 rows of one pair of neighbouring k: [K / 32][2][16 pairs][16 columns][2]. A row of a tile is also what
// vdpbf16ps multiplies with one broadcast pair.
#include "cpu/kernels.h"
#include "cpu/kernels/widen.h"

namespace ipa::cpu::IPA_ISA {

using Operand = uint16_t;                  // the bits of a bf16
inline constexpr int64_t kDepthUnit = 32;  // k is filled up with zeros to a multiple of this
inline constexpr int64_t kTileHalf = 512;  // operands of one B tile: 16 pairs x 16 columns x 2
static_assert(kLanes == 16 && kPanel == 32, "bf16 levels have vectors of 64 bytes");

// A block of W as operands: its panels, one every `step`.
struct WeightBlock {
  const Operand* from;
  int64_t step;
};
inline constexpr int64_t kWidenedFloats = 0;  // they are kept as operands

IPA_INLINE int64_t stored_bytes(DType) { return sizeof(Operand); }

IPA_INLINE WeightBlock weight_block(const PackedMatrix&, const char* stored, int64_t stored_step, int64_t, int64_t,
                                    Operand*) {
  return {reinterpret_cast<const Operand*>(stored), stored_step / static_cast<int64_t>(sizeof(Operand))};
}

typedef uint32_t UnalignedU __attribute__((vector_size(kBytes), aligned(2), may_alias));
typedef uint16_t VH __attribute__((vector_size(kBytes / 2)));
typedef uint16_t UnalignedH __attribute__((vector_size(kBytes / 2), aligned(2), may_alias));

// The bf16 of each number in the upper half of its lane; the lower half is zero.
IPA_INLINE VU rounded(V x) {
  const VU u = reinterpret_cast<VU>(x);
  const VU even = (u + 0x7fffu + ((u >> 16) & 1u)) & 0xffff0000u;
  return x == x ? even : (u | 0x00400000u) & 0xffff0000u;
}

IPA_INLINE Operand rounded(float x) {
  uint32_t u;
  __builtin_memcpy(&u, &x, sizeof u);
  if (x != x) return static_cast<Operand>(u >> 16 | 0x40u);
  return static_cast<Operand>((u + 0x7fffu + (u >> 16 & 1u)) >> 16);
}

IPA_INLINE float widened(Operand x) {
  const uint32_t u = static_cast<uint32_t>(x) << 16;
  float f;
  __builtin_memcpy(&f, &u, sizeof f);
  return f;
}

// A row of a B tile: lane i has the pair (even[i], odd[i]), the first one in the lower half.
IPA_INLINE VU pairs(V even, V odd) {
#if defined(__AVX512BF16__)
  const __m512i places = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                          21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  const __m512bh both = _mm512_cvtne2ps_pbh(odd, even);
  return reinterpret_cast<VU>(_mm512_maskz_permutexvar_epi16(0xffffffffu, places, reinterpret_cast<__m512i>(both)));
#elif defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
  float32x4_t evens[kLanes / 4], odds[kLanes / 4];
  uint32x4_t rows[kLanes / 4];
  __builtin_memcpy(evens, &even, sizeof even), __builtin_memcpy(odds, &odd, sizeof odd);
  for (int i = 0; i < kLanes / 4; ++i)
    rows[i] = vreinterpretq_u32_u16(vzip1q_u16(vreinterpretq_u16_bf16(vcvtq_low_bf16_f32(evens[i])),
                                               vreinterpretq_u16_bf16(vcvtq_low_bf16_f32(odds[i]))));
  VU row;
  __builtin_memcpy(&row, rows, sizeof row);
  return row;
#else
  return rounded(even) >> 16 | rounded(odd);
#endif
}

IPA_INLINE void store_pairs(Operand* to, VU row) { *reinterpret_cast<UnalignedU*>(to) = row; }

IPA_INLINE void store_rounded(Operand* to, V x) {
  *reinterpret_cast<UnalignedH*>(to) = __builtin_convertvector(rounded(x) >> 16, VH);
}

// Numbers of a file or f32 -> operands, and zeros.
template <typename From>
IPA_INLINE void copy(const From* from, Operand* to, int64_t n) {
  int64_t i = 0;
#if defined(__AVX512BF16__)
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) {
    const __m512bh both = _mm512_cvtne2ps_pbh(load_f32(from + i + kLanes), load_f32(from + i));
    *reinterpret_cast<UnalignedU*>(to + i) = reinterpret_cast<VU>(both);
  }
#endif
  for (; i + kLanes <= n; i += kLanes) store_rounded(to + i, load_f32(from + i));
  for (; i < n; ++i) to[i] = rounded(f32(from[i]));
}

IPA_INLINE void clear(Operand* to, int64_t n) {
  int64_t i = 0;
  for (; i + 2 * kLanes <= n; i += 2 * kLanes) store_pairs(to + i, VU{});
  for (; i < n; ++i) to[i] = 0;
}

// ---- what the stand-ins of the instructions share: both treat denormal operands as zero and make none ----

// x86 does so itself, and at no cost, while one of these lives. What it covers is a function of its own, so that no
// arithmetic is moved out from under it.
#if defined(__SSE2__)
class NoDenormals {
 public:
  NoDenormals() : saved_(_mm_getcsr()) { _mm_setcsr(saved_ | kFlushResults | kZeroOperands); }
  ~NoDenormals() { _mm_setcsr(saved_); }

 private:
  static constexpr unsigned kFlushResults = 0x8000, kZeroOperands = 0x0040;
  unsigned saved_;
};
IPA_INLINE V without_denormals(V x) { return x; }
#else
struct NoDenormals {
  NoDenormals() {}
};
IPA_INLINE V without_denormals(V x) {
  const V sign = reinterpret_cast<V>(reinterpret_cast<VU>(x) & 0x80000000u);
  const V size = reinterpret_cast<V>(reinterpret_cast<VU>(x) & 0x7fffffffu);
  return size < splat(1.17549435e-38f) ? sign : x;
}
#endif

// The numbers of a row of pairs that stand in the lower, the upper halves.
IPA_INLINE V lower_halves(VU row) { return without_denormals(reinterpret_cast<V>(row << 16)); }
IPA_INLINE V upper_halves(VU row) { return without_denormals(reinterpret_cast<V>(row & 0xffff0000u)); }

}  // namespace ipa::cpu::IPA_ISA
