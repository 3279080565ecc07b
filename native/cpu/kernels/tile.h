#pragma once
// The innermost product: c [R, kPanel] = a [R, k] . b [k, kPanel], or added to c. R x 2 vectors of sums live in
// registers; each k costs R broadcasts and two loads for 2 R multiply-adds, so with operands in L1 it runs at the
// multiply-add peak (0.99 measured for k = 40).
#include "cpu/kernels/vec.h"

namespace ipa::cpu::IPA_ISA {

// a's element (r, k) at a[r * kRowStep + k * step].
template <int R, int64_t kRowStep>
IPA_INLINE void tile(const float* a, int64_t step, const float* b, int64_t k, float* c, bool add, const Ahead& ahead) {
  if (add) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)  // c may come from L3: asked for now, needed after the sum
      for (int j = 0; j < kPanel; j += 16) __builtin_prefetch(c + r * kPanel + j, 1);
  }
  V sums[R][2];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) sums[r][0] = sums[r][1] = V{};
  const char* fetched = ahead.from;
  const int64_t fetched_step = ahead.step;
#pragma GCC unroll 2
  for (int64_t i = 0; i < k; ++i) {
    __builtin_prefetch(fetched, 0, 2);
    fetched += fetched_step;
    const V b0 = load(b), b1 = load(b + kLanes);
    b += kPanel;
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const V x = splat(a[r * kRowStep]);
      sums[r][0] = fma(x, b0, sums[r][0]);
      sums[r][1] = fma(x, b1, sums[r][1]);
    }
    a += step;
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
    for (int j = 0; j < 2; ++j) {
      float* p = c + r * kPanel + j * kLanes;
      store(p, add ? load(p) + sums[r][j] : sums[r][j]);
    }
}

// One function per row count; picked by table.
template <int R, int64_t kRowStep>
static void tile_rows(const float* a, int64_t step, const float* b, int64_t k, float* c, bool add, const Ahead& ahead) {
  tile<R, kRowStep>(a, kRowStep == 1 ? step : 1, b, k, c, add, ahead);
}

template <int64_t kRowStep>
static void any_tile(int rows, const float* a, int64_t step, const float* b, int64_t k, float* c, bool add,
                     const Ahead& ahead) {
  using Tile = void (*)(const float*, int64_t, const float*, int64_t, float*, bool, const Ahead&);
  static constexpr Tile kTiles[] = {
    tile_rows<1, kRowStep>,
    tile_rows<2, kRowStep>,
    tile_rows<3, kRowStep>,
    tile_rows<4, kRowStep>,
    tile_rows<5, kRowStep>,
    tile_rows<6, kRowStep>,
#if defined(__AVX512F__) || defined(__aarch64__)
    tile_rows<7, kRowStep>,
    tile_rows<8, kRowStep>,
    tile_rows<9, kRowStep>,
    tile_rows<10, kRowStep>,
    tile_rows<11, kRowStep>,
    tile_rows<12, kRowStep>,
#endif
#if defined(__AVX512F__)
    tile_rows<13, kRowStep>,
    tile_rows<14, kRowStep>,
#endif
  };
  static_assert(sizeof(kTiles) / sizeof(kTiles[0]) == kRows);
  kTiles[rows - 1](a, step, b, k, c, add, ahead);
}

}  // namespace ipa::cpu::IPA_ISA
