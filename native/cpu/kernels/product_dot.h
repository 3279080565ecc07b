#pragma once
// bf16 operands and one vector instruction, vdpbf16ps: to each of 16 sums it adds the products of two pairs. Strips of
// kStrip x kPanel sums in registers; a pair of k costs kStrip broadcasts and two loads for 2 kStrip instructions, so
// with operands in L1 and L2 the multipliers bound it.
#include "cpu/kernels/bf16.h"

namespace ipa::cpu::IPA_ISA {

inline constexpr int64_t kStrip = 14;
inline constexpr int64_t kRowUnit = 1;
inline constexpr int64_t kStepDepth = 2;
inline constexpr int64_t kDepth = 640;
inline constexpr int64_t kPitch = kDepth + 32;
inline constexpr int64_t kColumns = 320 / kPanel;
inline constexpr int64_t kTaskRows = 512;
inline constexpr double kGatherCost = 0.5;

struct Session {};

// sums + a0 b0 + a1 b1 per lane. The stand-in does what the instruction does: upper product first, each added by a
// fused multiply-add to nearest even, denormal operands and results are zeros. (Without fused multiply-add in the CPU
// the product is rounded too; it is exact unless it is itself denormal.)
IPA_INLINE V dot(V sums, VU a, VU b) {
#if defined(IPA_DOT_STAND_IN)
  sums = without_denormals(fma(upper_halves(a), upper_halves(b), without_denormals(sums)));
  return without_denormals(fma(lower_halves(a), lower_halves(b), sums));
#else
  return _mm512_dpbf16_ps(sums, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
#endif
}

IPA_INLINE VU broadcast_pair(const char* from) {
  uint32_t pair;
  __builtin_memcpy(&pair, from, sizeof pair);
  VU pairs = pair - VU{};
#if defined(__clang__) && __clang_major__ < 17 && defined(__AVX512BF16__)
  asm("" : "+v"(pairs));  // trap: these compilers crash where they see that vdpbf16ps takes a broadcast
#endif
  return pairs;
}

template <int R>
static void dot_strip(const Operand* a, int64_t pitch, const Operand* b, int64_t depth, float* c, bool add,
                      const Ahead& ahead) {
  if (add) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)  // c may come from L3: asked for now, needed after the sum
      for (int j = 0; j < kPanel; j += 16) __builtin_prefetch(c + r * kPanel + j, 1);
  }
  V sums[R][2];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) sums[r][0] = sums[r][1] = V{};
  const int64_t row = pitch * 2;  // bytes
  const char* fetched = ahead.from;
  const int64_t fetched_step = ahead.step;
  const char* quads[4];  // every fourth row; the three between are reached by an index
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) quads[r] = reinterpret_cast<const char*>(a) + r * 4 * row;
  for (int64_t k = 0; k < depth; k += kDepthUnit, b += 2 * kTileHalf) {
    const int64_t pair_count = least(kDepthUnit, depth - k) / 2;
#pragma GCC unroll 2
    for (int64_t pair = 0; pair < pair_count; ++pair) {
      __builtin_prefetch(fetched, 0, 2);
      fetched += fetched_step;
      const VU b0 = *reinterpret_cast<const UnalignedU*>(b + pair * 32);
      const VU b1 = *reinterpret_cast<const UnalignedU*>(b + kTileHalf + pair * 32);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        const VU x = broadcast_pair(quads[r / 4] + r % 4 * row);
        sums[r][0] = dot(sums[r][0], x, b0);
        sums[r][1] = dot(sums[r][1], x, b1);
      }
#pragma GCC unroll 4
      for (int r = 0; r < 4; ++r) hide_origin(quads[r] += 4);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
    for (int j = 0; j < 2; ++j) {
      float* p = c + r * kPanel + j * kLanes;
      store(p, add ? load(p) + sums[r][j] : sums[r][j]);
    }
}

// c [rows, kPanel] (+)= a [rows, pitch] . b, one packed panel [depth, kPanel]
static void product(int rows, const Operand* a, int64_t pitch, const Operand* b, int64_t depth, float* c, bool add,
                    const Ahead& ahead) {
  using Strip = void (*)(const Operand*, int64_t, const Operand*, int64_t, float*, bool, const Ahead&);
  static constexpr Strip kStrips[] = {dot_strip<1>,  dot_strip<2>,  dot_strip<3>,  dot_strip<4>, dot_strip<5>,
                                      dot_strip<6>,  dot_strip<7>,  dot_strip<8>,  dot_strip<9>, dot_strip<10>,
                                      dot_strip<11>, dot_strip<12>, dot_strip<13>, dot_strip<14>};
  static_assert(sizeof(kStrips) / sizeof(kStrips[0]) == kStrip);
#if defined(IPA_DOT_STAND_IN)
  const NoDenormals as_the_instruction;
#endif
  kStrips[rows - 1](a, pitch, b, depth, c, add, ahead);
}

}  // namespace ipa::cpu::IPA_ISA
