#pragma once
#include <array>

#include "runtime/network.h"

namespace ipa {

// Of the first and the second up block: half of the hidden channels times b, the skip's lowest frequencies times s.
struct FreeU {
  std::array<double, 2> b = {1, 1}, s = {1, 1};
};

// Sets what a step plan reads of it (models/free_u.h).
void set_free_u(Prepared& step, const FreeU& how);

}  // namespace ipa
