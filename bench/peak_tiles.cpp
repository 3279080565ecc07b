// Peak of the AMX unit: 2 x 2 tiles whose operands come from L1, as in the innermost loop of the level amx. Compiled
// with that level's flags, so it shares no inline function with the rest (see CMakeLists.txt, Kernels).
#include "cpu/kernels/tile_ops.h"

namespace ipa::cpu::IPA_ISA {

static double loop() {
  constexpr int64_t kSteps = 400'000, kDepth = 8;  // tiles of k: 8 + 8 KiB of a, 16 KiB of b
  alignas(64) static const Operand operands[4 * kDepth * kTileHalf] = {};
  const Operand *a = operands, *b = operands + 2 * kDepth * kTileHalf;
  tile_configure();
  tile_zero<0>(), tile_zero<1>(), tile_zero<2>(), tile_zero<3>();
  for (int64_t i = 0; i < kSteps; ++i) {
    const int64_t k = i % kDepth * 2 * kTileHalf;
    tile_load<6>(b + k, kTileBytes), tile_load<4>(a + k, kTileBytes);
    tile_dot<0, 4, 6>();
    tile_load<7>(b + k + kTileHalf, kTileBytes);
    tile_dot<1, 4, 7>();
    tile_load<5>(a + k + kTileHalf, kTileBytes);
    tile_dot<2, 5, 6>();
    tile_dot<3, 5, 7>();
  }
  tile_release();
  return static_cast<double>(kSteps) * 4 * 16 * 16 * 32 * 2;
}

}  // namespace ipa::cpu::IPA_ISA

namespace ipa::bench {

double tiles_loop() { return cpu::IPA_ISA::loop(); }

}  // namespace ipa::bench
