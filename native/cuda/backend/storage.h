#pragma once
// As what a value of a plan lies in the card's memory: f32, or the 16 bits that products and attention read. The
// residual stream and all that norms and element ops read is f32.
#include <vector>

#include "plan/plan.h"

namespace ipa::cuda {

enum class Stored : uint8_t { f32, operand };

// Whether the kernels for operands of 16 bits take this op; otherwise those that compute in f32 do. Channels that are
// no multiple of 8 (the ends of networks) and everything in plans that compute in f32.
bool takes_operands(const Plan& plan, const Node& node);

// By ValueId. Inputs and outputs of the plan are f32: that is what a place means to callers.
std::vector<Stored> storage(const Plan& plan);

// An input of the plan that products or attention multiply. Inputs stay as they were set over any number of runs, so
// the program keeps it in 16 bits too, in memory of its own, and casts it again only after it was written.
struct KeptInput {
  ValueId id;
  size_t offset;  // bytes, in that memory
  int64_t count;  // numbers
};
std::vector<KeptInput> kept_inputs(const Plan& plan);
size_t kept_bytes(const std::vector<KeptInput>& inputs);

}  // namespace ipa::cuda
