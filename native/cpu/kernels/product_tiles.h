#pragma once
// bf16 operands and AMX tiles: 32 rows x kPanel sums are 2 x 2 tiles, and 32 values of k cost four tile loads for four
// dot products. The strip of a stays in L1 while W streams past it from L2, by loads that leave L1 alone.
// Bound: with everything in L1 the tile unit; with W in L2 some three quarters of it.
#include "cpu/kernels/tile_ops.h"

namespace ipa::cpu::IPA_ISA {

inline constexpr int64_t kStrip = 32;
inline constexpr int64_t kRowUnit = 32;
inline constexpr int64_t kStepDepth = 32;
inline constexpr int64_t kDepth = 576;  // 36 KiB of a with the strip
inline constexpr int64_t kPitch = kDepth + 32;
inline constexpr int64_t kColumns = 512 / kPanel;  // 576 KiB of W with kDepth
inline constexpr int64_t kTaskRows = 512;
inline constexpr double kGatherCost = 1.3;

struct Session {
  Session() { tile_configure(); }
  ~Session() { tile_release(); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
};

// kBlocks x 16 rows. Tiles 0 to 3: sums, 4 and 5: a, 6 and 7: b.
template <int kBlocks>
static void tile_strip(const Operand* a, int64_t pitch, const Operand* b, int64_t depth, float* c, bool add,
                       const Ahead& ahead) {
  constexpr int64_t kStep = kPanel * sizeof(float);  // bytes from one row of c to the next
  constexpr bool kBoth = kBlocks == 2;
  float* c2 = c + kTileRows * kPanel;
  if (add) {
    tile_load<0>(c, kStep), tile_load<1>(c + kLanes, kStep);
    if constexpr (kBoth) tile_load<2>(c2, kStep), tile_load<3>(c2 + kLanes, kStep);
  } else {
    tile_zero<0>(), tile_zero<1>();
    if constexpr (kBoth) tile_zero<2>(), tile_zero<3>();
  }
  const int64_t row = pitch * static_cast<int64_t>(sizeof(Operand));  // bytes
  const char* fetched = ahead.from;
  const int64_t fetched_step = ahead.step;
  for (int64_t k = 0; k < depth; k += kStepDepth, a += kStepDepth, b += 2 * kTileHalf) {
    for (int64_t line = 0; line < fetched_step; line += 64) __builtin_prefetch(fetched + line, 0, 2);
    fetched += fetched_step;
    tile_load_once<6>(b, kTileBytes);
    tile_load<4>(a, row);
    tile_dot<0, 4, 6>();
    tile_load_once<7>(b + kTileHalf, kTileBytes);
    tile_dot<1, 4, 7>();
    if constexpr (kBoth) {
      tile_load<5>(a + kTileRows * pitch, row);
      tile_dot<2, 5, 6>();
      tile_dot<3, 5, 7>();
    }
  }
  tile_store<0>(c, kStep), tile_store<1>(c + kLanes, kStep);
  if constexpr (kBoth) tile_store<2>(c2, kStep), tile_store<3>(c2 + kLanes, kStep);
}

// c [rows, kPanel] (+)= a [rows, pitch] . b, one packed panel [depth, kPanel]. Whole tiles are read and written: a and
// c have memory for rows rounded up to 16, what stands in the further rows of a does not reach the others.
static void product(int rows, const Operand* a, int64_t pitch, const Operand* b, int64_t depth, float* c, bool add,
                    const Ahead& ahead) {
  if (rows > kTileRows) return tile_strip<2>(a, pitch, b, depth, c, add, ahead);
  tile_strip<1>(a, pitch, b, depth, c, add, ahead);
}

}  // namespace ipa::cpu::IPA_ISA
