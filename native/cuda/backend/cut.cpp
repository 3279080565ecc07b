#include "cuda/backend/cut.h"

#include <algorithm>
#include <array>

#include "cuda/backend/lowering.h"

namespace ipa::cuda {

namespace {

constexpr std::array<TileRow, 5> kTiles = {{{"256x128", 256, 128, 1.0},
                                            {"128x160", 128, 160, 0.97},
                                            {"128x128", 128, 128, 0.95},
                                            {"128x64", 128, 64, 0.8},
                                            {"64x64", 64, 64, 0.65}}};
constexpr int64_t kMostSlices = 8;
bool has(const driver::Properties& card, const TileRow& tile, bool shortcut) {
  if (tile.m == 256) return card.shared_bytes >= 96 * 1024;
  return !(shortcut && tile.n == 160) || card.capability >= 80;
}

}  // namespace

// Waves of blocks times what one takes; slices cost the sums' way through memory.
Cut cut_of(const ProductExtent& size, const driver::Properties& card) {
  const int64_t multiprocessors = std::max(card.multiprocessors, 1);
  Cut best{nullptr, 1};
  double least = 0;
  for (const TileRow& tile : kTiles) {
    if (!has(card, tile, size.shortcut)) continue;
    const int64_t blocks = (size.m + tile.m - 1) / tile.m * ((size.n + tile.n - 1) / tile.n) * size.parts;
    const int64_t steps = (size.k + kDepth - 1) / kDepth;
    for (int64_t slices = 1; slices <= kMostSlices; slices *= 2) {
      if (slices > 1 && (steps / slices < 4 || blocks > kArrivals)) break;
      const int64_t waves = (blocks * slices + multiprocessors - 1) / multiprocessors;
      const double steps_of_one = static_cast<double>((steps + slices - 1) / slices);
      const double area = static_cast<double>(tile.m * tile.n);
      double cost = static_cast<double>(waves) * (steps_of_one + 8) * area / tile.worth;
      if (slices > 1) cost += static_cast<double>(waves) * area * 2 * static_cast<double>(slices);
      if (!best.tile || cost < least) best = {&tile, slices}, least = cost;
    }
  }
  return best;
}

}  // namespace ipa::cuda
