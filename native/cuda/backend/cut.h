#pragma once
// How a product is cut for a card: which tile (cuda/kernels/tile.h), how many slices of K.
#include <cstdint>

#include "cuda/driver/device.h"

namespace ipa::cuda {

struct TileRow {
  const char* name;
  int64_t m, n;
  double worth;  // share of the rate of the best; to be replaced by measurements
};

struct Cut {
  const TileRow* tile;
  int64_t slices;
};

struct ProductExtent {
  int64_t m, n, k;
  int64_t parts = 1;      // products of this extent in the launch
  bool shortcut = false;  // has a product appended along K (cuda/kernels/convolution_shortcut.h)
};

inline constexpr int64_t kDepth = 32;  // of a step along K

// From the sizes and the card alone.
Cut cut_of(const ProductExtent& size, const driver::Properties& card);

}  // namespace ipa::cuda
