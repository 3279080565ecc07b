#pragma once
// f32 operands: strips of kRows x kPanel sums in registers (tile.h).
#include "cpu/kernels.h"
#include "cpu/kernels/tile.h"
#include "cpu/kernels/widen.h"

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
                        bool add, const Ahead& ahead) {
  any_tile<kPitch>(rows, a, 1, b, depth, c, add, ahead);
}

// A block of W as operands: its panels, one every `step`.
struct WeightBlock {
  const Operand* from;
  int64_t step;
};
inline constexpr int64_t kWidenedFloats = kDepth * kColumns * kPanel;  // room for a block that is kept in 16 bits

IPA_INLINE int64_t stored_bytes(DType type) { return type == DType::f32 ? 4 : 2; }

template <typename From>
static void widen_panel(const From* from, int64_t depth, Operand* to) {
  for (int64_t i = 0; i < depth * kPanel; i += kLanes) store(to + i, load_f32(from + i));
}

IPA_INLINE WeightBlock weight_block(const PackedMatrix& w, const char* stored, int64_t stored_step, int64_t panels,
                                    int64_t depth, Operand* widened) {
  if (w.type == DType::f32)
    return {reinterpret_cast<const Operand*>(stored), stored_step / static_cast<int64_t>(sizeof(Operand))};
  for (int64_t panel = 0; panel < panels; ++panel)
    with_type(w.type, stored + panel * stored_step,
              [&](const auto* from) { widen_panel(from, depth, widened + panel * depth * kPanel); });
  return {widened, depth * kPanel};
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
