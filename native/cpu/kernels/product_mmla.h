#pragma once
// bf16 operands and one vector instruction of ARM64, bfmmla: to 2 x 2 sums it adds the products of two rows with two
// columns of four k. Strips of kStrip rows x 8 columns of a panel in registers: four k cost a load of two halves per
// pair of rows and four loads and four shuffles of W for 4 kStrip / 2 instructions. Rows come in pairs: one that has no
// partner is read and written with whatever follows it.
#include "cpu/kernels/bf16.h"

namespace ipa::cpu::IPA_ISA {

inline constexpr int64_t kStrip = 12;
inline constexpr int64_t kRowUnit = 2;
inline constexpr int64_t kStepDepth = 4;
inline constexpr int64_t kDepth = 640;
inline constexpr int64_t kPitch = kDepth + 32;
inline constexpr int64_t kColumns = 320 / kPanel;
inline constexpr int64_t kTaskRows = 512;
inline constexpr double kGatherCost = 1.0;

struct Session {};

// Four pairs of operands: two rows, or two columns, of four k.
typedef uint32_t Pairs __attribute__((vector_size(16)));
typedef uint32_t UnalignedPairs __attribute__((vector_size(16), aligned(2), may_alias));

#if defined(IPA_MMLA_STAND_IN)

typedef double VD __attribute__((vector_size(2 * kBytes)));

IPA_INLINE V flushed(V x) {
  const VI bits = reinterpret_cast<VI>(x);
  return reinterpret_cast<V>((bits & 0x7fffffff) < 0x00800000 ? bits & INT32_MIN : bits);
}

// x + y rounded to odd: towards zero, and where that is not the sum itself the last bit is set. Denormal results are
// zeros.
static V add_to_odd(V x, V y) {
  const VD a = __builtin_convertvector(x, VD), b = __builtin_convertvector(y, VD);
  const VD s = a + b, b_in_s = s - a, lost = (a - (s - b_in_s)) + (b - b_in_s);  // the sum is s + lost
  const V nearest = __builtin_convertvector(s, V);
  const VD n = __builtin_convertvector(nearest, VD), size = s < VD{} ? -s : s, n_size = n < VD{} ? -n : n;
  const auto outside = (n_size > size) | ((n == s) & ((lost < VD{}) != (s < VD{})) & (lost != VD{}));
  const auto inexact = (n != s) | (lost != VD{});
  const auto finite = size < VD{} + 0x1p128;  // neither too large for a sum, nor infinite, nor NaN
  const VI step = __builtin_convertvector(outside & finite, VI) & 1;
  const VI last = __builtin_convertvector(inexact & finite, VI) & 1;
  const V sum = reinterpret_cast<V>((reinterpret_cast<VI>(nearest) - step) | last);
  const VI tiny = __builtin_convertvector(size < VD{} + 0x1p-126, VI);
  return tiny ? reinterpret_cast<V>(reinterpret_cast<VI>(sum) & INT32_MIN) : sum;
}

// The same four times.
IPA_INLINE V four_times(Pairs pairs) {
  const Pairs four[] = {pairs, pairs, pairs, pairs};
  V v;
  __builtin_memcpy(&v, four, sizeof v);
  return v;
}

// As documented for BFMMLA: per sum the products of two pairs one after the other, each pair added up first. Denormals
// are zeros throughout. Four instructions at once: this is slow enough.
IPA_INLINE void mmla(V4* sums, Pairs rows, const Pairs* columns) {
  V all;
  VU b;
  __builtin_memcpy(&all, sums, sizeof all), __builtin_memcpy(&b, columns, sizeof b);
  const VU a = reinterpret_cast<VU>(four_times(rows));
  const auto add_pairs = [&all](VU x, VU y) {
    const auto lower = [](VU pairs) { return flushed(reinterpret_cast<V>(pairs << 16)); };
    const auto upper = [](VU pairs) { return flushed(reinterpret_cast<V>(pairs & 0xffff0000u)); };
    all = add_to_odd(all, add_to_odd(flushed(lower(x) * lower(y)), flushed(upper(x) * upper(y))));
  };
  add_pairs(IPA_SHUFFLE(a, a, 0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10, 12, 12, 14, 14),
            IPA_SHUFFLE(b, b, 0, 2, 0, 2, 4, 6, 4, 6, 8, 10, 8, 10, 12, 14, 12, 14));
  add_pairs(IPA_SHUFFLE(a, a, 1, 1, 3, 3, 5, 5, 7, 7, 9, 9, 11, 11, 13, 13, 15, 15),
            IPA_SHUFFLE(b, b, 1, 3, 1, 3, 5, 7, 5, 7, 9, 11, 9, 11, 13, 15, 13, 15));
  __builtin_memcpy(sums, &all, sizeof all);
}

#else

// Four times two rows with two columns; of each sums of row 0 with both columns, then of row 1.
IPA_INLINE void mmla(V4* sums, Pairs rows, const Pairs* columns) {
#pragma GCC unroll 4
  for (int j = 0; j < 4; ++j)
    sums[j] = vbfmmlaq_f32(sums[j], vreinterpretq_bf16_u32(rows), vreinterpretq_bf16_u32(columns[j]));
}

#endif

IPA_INLINE Pairs rows_of(const Operand* first, const Operand* second) {
  typedef uint64_t Fours __attribute__((vector_size(16)));
  uint64_t upper, lower;
  __builtin_memcpy(&upper, first, sizeof upper), __builtin_memcpy(&lower, second, sizeof lower);
  return reinterpret_cast<Pairs>(Fours{upper, lower});
}

// kPairs pairs of rows.
template <int kPairs>
static void mmla_strip(const Operand* a, int64_t pitch, const Operand* b, int64_t depth, float* c, bool add,
                       const Ahead& ahead) {
  const char* fetched = ahead.from;
  const int64_t fetched_step = ahead.step;
  for (int64_t column = 0; column < kPanel; column += 8) {
    const Operand* panel = b + column / kLanes * kTileHalf + column % kLanes * 2;
    V4 sums[kPairs][4];
#pragma GCC unroll 6
    for (int p = 0; p < kPairs; ++p) sums[p][0] = sums[p][1] = sums[p][2] = sums[p][3] = V4{};
    for (int64_t k = 0; k < depth; k += kDepthUnit, panel += 2 * kTileHalf) {
      const int64_t steps = least(kDepthUnit, depth - k) / kStepDepth;
      for (int64_t step = 0; step < steps; ++step) {
        if (column == 0) {
          for (int64_t line = 0; line < fetched_step; line += 64) __builtin_prefetch(fetched + line, 0, 2);
          fetched += fetched_step;
        }
        const auto pairs = [&](int64_t offset) {
          return static_cast<Pairs>(*reinterpret_cast<const UnalignedPairs*>(panel + step * 4 * kLanes + offset));
        };
        const Pairs u0 = pairs(0), u1 = pairs(8), l0 = pairs(2 * kLanes), l1 = pairs(2 * kLanes + 8);
        const Pairs columns[4] = {IPA_SHUFFLE(u0, l0, 0, 4, 1, 5), IPA_SHUFFLE(u0, l0, 2, 6, 3, 7),
                                  IPA_SHUFFLE(u1, l1, 0, 4, 1, 5), IPA_SHUFFLE(u1, l1, 2, 6, 3, 7)};
#pragma GCC unroll 6
        for (int p = 0; p < kPairs; ++p) {
          const Operand* row = a + 2 * p * pitch + k + step * kStepDepth;
          const Pairs rows = rows_of(row, row + pitch);
          mmla(sums[p], rows, columns);
        }
      }
    }
#pragma GCC unroll 6
    for (int p = 0; p < kPairs; ++p)
      for (int j = 0; j < 4; j += 2) {
        const V4 first = IPA_SHUFFLE(sums[p][j], sums[p][j + 1], 0, 1, 4, 5);
        const V4 second = IPA_SHUFFLE(sums[p][j], sums[p][j + 1], 2, 3, 6, 7);
        Unaligned4* to = reinterpret_cast<Unaligned4*>(c + 2 * p * kPanel + column + j * 2);
        Unaligned4* below = reinterpret_cast<Unaligned4*>(c + (2 * p + 1) * kPanel + column + j * 2);
        *to = add ? *to + first : first;
        *below = add ? *below + second : second;
      }
  }
}

// c [rows, kPanel] (+)= a [rows, pitch] . b, one packed panel [depth, kPanel]
static void product(int rows, const Operand* a, int64_t pitch, const Operand* b, int64_t depth, float* c, bool add,
                    const Ahead& ahead) {
  using Strip = void (*)(const Operand*, int64_t, const Operand*, int64_t, float*, bool, const Ahead&);
  static constexpr Strip kStrips[] = {mmla_strip<1>, mmla_strip<2>, mmla_strip<3>,
                                      mmla_strip<4>, mmla_strip<5>, mmla_strip<6>};
  static_assert(2 * sizeof(kStrips) / sizeof(kStrips[0]) == kStrip);
#if defined(IPA_MMLA_STAND_IN)
  const NoDenormals as_the_instruction;
#endif
  kStrips[(rows - 1) / 2](a, pitch, b, depth, c, add, ahead);
}

}  // namespace ipa::cpu::IPA_ISA
