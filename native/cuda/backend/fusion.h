#pragma once
// What nodes around group norms share a launch, so that fewer bytes travel:
// - A product or convolution leaves the moments of its result (cuda/kernels/result.h) for the norms that read it.
// - A concat along channels is never made where norms take both tensors.
// - A norm writes its input as an operand too, where a 1x1 convolution multiplies it.
// - A 1x1 convolution whose residual another convolution makes for it alone is one launch with that.
// Outputs of the plan always exist.
#include <map>
#include <vector>

#include "cuda/backend/cut.h"
#include "cuda/backend/storage.h"

namespace ipa::cuda {

// An area is a place in the arena that is no value of the plan. Areas are numbered on from the plan's values.
using AreaId = ValueId;

struct FusedProduct {
  Cut cut;
  AreaId moments = kNone;             // [parts of moment_rows][columns / 2] of what it makes
  int64_t moment_rows = 0;            // of one image
  const Node* convolution = nullptr;  // the node is its shortcut and makes the sum
};

struct OperandCopy {
  AreaId area;
  const Node* norm;  // which writes it
};

struct Fusion {
  std::vector<bool> absorbed;                       // by value: another node's launch makes what follows from it
  std::map<ValueId, FusedProduct> products;         // by result
  std::map<ValueId, std::vector<ValueId>> sources;  // of concats that are not made, by result
  std::map<ValueId, OperandCopy> operands;          // of values that lie as f32
  Layout layout;                                    // of values that are made and of areas

  const FusedProduct* product(ValueId result) const {
    const auto at = products.find(result);
    return at == products.end() ? nullptr : &at->second;
  }
};

Fusion fuse(const Plan& plan, const std::vector<Stored>& stored, const driver::Properties& card);

// Whether a product multiplies `x` and reads it for nothing else: then an operand will do.
bool multiplies(const Plan& plan, const Node& node, ValueId x);

// The value whose bytes a value has.
inline ValueId root(const Plan& plan, ValueId id) {
  const ValueId alias = plan.values[static_cast<size_t>(id)].alias;
  return alias == kNone ? id : alias;
}

}  // namespace ipa::cuda
