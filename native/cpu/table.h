#pragma once
// The levels of this CPU: which instruction sets it has, and which of them were compiled in.
#include <string_view>
#include <vector>

#include "cpu/kernels.h"

namespace ipa::cpu {

namespace naive {
// Plain packing and no kernels: every op runs its naive twin. Always there, slow, for finding faults.
extern const Level level;
}  // namespace naive

// Slowest first; "naive" is always there, the last one is the best. Asked once per process.
const std::vector<const Level*>& levels();

// By name. Throws DEVICE_UNSUPPORTED naming those present.
const Level& level(std::string_view name);

// What IPA_CPU names, or the best.
const Level& default_level();

}  // namespace ipa::cpu
