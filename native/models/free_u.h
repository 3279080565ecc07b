#pragma once
// FreeU: before a layer of the first two up blocks reads hidden state and skip, half of the state's channels grow and
// the skip's lowest frequencies change. source: arXiv 2309.11497, diffusers apply_freeu
//
// Inputs of a step plan, `i` being the number of the up block, 0 or 1, `k` that of a cosine or sine row of the four
// frequencies {-1, 0} x {-1, 0} of the grid, 0 to 6:
//   free_u.<i>.gain     [1, 1, 1, 1]  what half of the channels grow by, b - 1
//   free_u.<i>.to<k>    [1, h, w, 1]  the row less 1
//   free_u.<i>.from<k>  [1, h, w, 1]  the row times s - 1
// The reference multiplies the middle of the shifted 2-D transform by s and takes the real part of what comes back: y =
// x + (s - 1) (the part of x in these frequencies), which are seven means and as many sums.
#include <cstdint>

#include "plan/builder.h"

namespace ipa {

inline constexpr int kFreeUBlocks = 2, kFreeURows = 7;

// The new hidden state, and the new skip, of up block `block`.
Value free_u_hidden(Builder& b, Value h, int block);
Value free_u_skip(Builder& b, Value skip, int block);

}  // namespace ipa
