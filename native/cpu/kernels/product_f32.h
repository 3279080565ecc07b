#pragma once
// f32 operands: strips of kRows x kPanel sums in registers (tile.h).
#include "cpu/kernels/tile.h"

namespace ipa::cpu::IPA_ISA {

using Operand = float;
inline constexpr int64_t kStrip = kRows;            // rows of one tile of sums
inline constexpr int64_t kRowUnit = 1;              // rows of a strip, unless it is the last, are a multiple of this
inline constexpr int64_t kDepthUnit = 1;            // k is filled up with zeros to a multiple of this
inline constexpr int64_t kStepDepth = 1;            // k of one step of the innermost loop
inline constexpr int64_t kDepth = 320;              // k of one block
inline constexpr int64_t kPitch = kDepth + kLanes;  // operands from one gathered row to the next
inline constexpr int64_t kColumns = 320 / kPanel;   // panels of one block of W: 400 KiB with kDepth
inline constexpr int64_t kTaskRows = 512;           // rows of a task at most
inline constexpr double kGatherCost = 0.33;         // gathering a strip, in tiles

// What a thread sets up before products and gives back after them.
struct Session {};

// c [rows, kPanel] (+)= a [rows, kPitch] . b [depth, kPanel]
IPA_INLINE void product(int rows, const Operand* a, int64_t /*pitch*/, const Operand* b, int64_t depth, float* c,
                        bool add, Ahead ahead) {
  any_tile<kPitch>(rows, a, 1, b, depth, c, add, ahead);
}

// Fills gathered rows: from f32, and with zeros.
IPA_INLINE void copy(const float* from, Operand* to, int64_t n) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(to + i, load(from + i));
  for (; i < n; ++i) to[i] = from[i];
}

IPA_INLINE void clear(Operand* to, int64_t n) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(to + i, V{});
  for (; i < n; ++i) to[i] = 0;
}

}  // namespace ipa::cpu::IPA_ISA
