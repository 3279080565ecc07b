#pragma once
// Makes the ops of a plan ready to run: one implementation each, its arguments with resolved addresses.
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cpu/kernels.h"
#include "cpu/memory.h"
#include "plan/backend.h"

namespace ipa::cpu {

struct Step {
  std::function<void(const Context&)> run;
  size_t scratch = 0;  // bytes
};

// Op or path of a node, and the implementation to prefer there.
using Preferences = std::vector<std::pair<std::string, std::string>>;
Preferences preferences(const char* text);  // "conv2d:naive,attend:naive"; null or "": none. Throws OPTION_RANGE

// A node and everything its addresses come from.
struct Site {
  const Plan& plan;
  const Layout& layout;
  const WeightPlace* weights;
  std::byte* arena;
  const Level& level;
  int threads;
  const Node& node;

  const Shape& shape(ValueId id) const { return plan.values[id].shape; }
  float* at(ValueId id) const { return id == kNone ? nullptr : reinterpret_cast<float*>(arena + layout.offsets[id]); }
  const float* weight(SlotId slot) const { return slot == kNone ? nullptr : numbers(weights[slot].place); }
  PackedMatrix matrix(SlotId slot, int64_t k, int64_t n) const {
    return {address(weights[slot].place), k, n, weights[slot].type};
  }
  float* result() const { return at(node.output); }
};

Step make_step(const Site& site, const Preferences& preferences);

}  // namespace ipa::cpu
