#include "cuda/backend/storage.h"

#include <algorithm>
#include <variant>

namespace ipa::cuda {

namespace {

constexpr int64_t kGroup = 8;         // numbers of 16 bits that are copied at once
constexpr int64_t kWidestHead = 160;  // of the kernel for heads

const Shape& shape(const Plan& plan, ValueId id) { return plan.values[static_cast<size_t>(id)].shape; }

ValueId root(const Plan& plan, ValueId id) {
  const ValueId alias = plan.values[static_cast<size_t>(id)].alias;
  return alias == kNone ? id : alias;
}

// Ops whose kernels can round what they store.
bool can_round(const Plan& plan, const Op& op) {
  if (const auto* conv = std::get_if<Conv2d>(&op); conv && plan.weights[static_cast<size_t>(conv->weight)].upsampled)
    return false;  // norms and concatenations read what an upsampling convolution makes
  return std::holds_alternative<Conv2d>(op) || std::holds_alternative<Linear>(op) ||
         std::holds_alternative<GroupNorm>(op) || std::holds_alternative<LayerNorm>(op) ||
         std::holds_alternative<Attend>(op) || std::holds_alternative<Apply>(op) || std::holds_alternative<Geglu>(op) ||
         std::holds_alternative<Add>(op) || std::holds_alternative<AddScaled>(op) || std::holds_alternative<Concat>(op);
}

// The inputs that an op's kernel multiplies.
template <typename F>
void for_each_operand(const Plan& plan, const Node& node, F visit) {
  if (!takes_operands(plan, node)) return;
  if (const auto* conv = std::get_if<Conv2d>(&node.op)) visit(conv->x);
  if (const auto* linear = std::get_if<Linear>(&node.op)) visit(linear->x);
  if (const auto* attend = std::get_if<Attend>(&node.op)) {
    visit(attend->q);
    for (const AttendTerm& term : attend->terms) visit(term.k), visit(term.v);
  }
}

}  // namespace

bool takes_operands(const Plan& plan, const Node& node) {
  if (plan.compute == Compute::f32) return false;
  if (const auto* conv = std::get_if<Conv2d>(&node.op))
    return conv->groups == 1 && shape(plan, conv->x).c % kGroup == 0 && conv->out % kGroup == 0;
  if (const auto* linear = std::get_if<Linear>(&node.op))
    return shape(plan, linear->x).c % kGroup == 0 && linear->out % kGroup == 0;
  if (const auto* attend = std::get_if<Attend>(&node.op)) {
    const int64_t head = shape(plan, attend->q).c / attend->heads;
    return head % kGroup == 0 && (head <= kWidestHead || (attend->heads == 1 && attend->terms.size() == 1));
  }
  return false;
}

std::vector<Stored> storage(const Plan& plan) {
  const size_t count = plan.values.size();
  std::vector<bool> rounds(count), multiplied(count), read(count);
  for (const Node& node : plan.nodes) {
    rounds[static_cast<size_t>(node.output)] = can_round(plan, node.op);
    std::vector<ValueId> operands;
    for_each_operand(plan, node, [&](ValueId id) { operands.push_back(root(plan, id)); });
    for (const ValueId id : operands) multiplied[static_cast<size_t>(id)] = true;
    // What an op reads besides (a residual, a scale row) it reads as f32, also when it is an operand of the same op.
    for_each_input(node.op, [&](ValueId id) {
      const ValueId value = root(plan, id);
      const auto at = std::find(operands.begin(), operands.end(), value);
      if (at == operands.end())
        read[static_cast<size_t>(value)] = true;
      else
        operands.erase(at);
    });
  }
  for (const auto& [name, id] : plan.inputs) read[static_cast<size_t>(root(plan, id))] = true;
  for (const auto& [name, id] : plan.outputs) read[static_cast<size_t>(root(plan, id))] = true;

  std::vector<Stored> stored(count, Stored::f32);
  for (size_t id = 0; id < count; ++id) {
    const auto value = static_cast<size_t>(root(plan, static_cast<ValueId>(id)));
    if (rounds[value] && multiplied[value] && !read[value]) stored[id] = Stored::operand;
  }
  return stored;
}

std::vector<KeptInput> kept_inputs(const Plan& plan) {
  std::vector<bool> multiplied(plan.values.size());
  for (const Node& node : plan.nodes)
    for_each_operand(plan, node, [&](ValueId id) { multiplied[static_cast<size_t>(root(plan, id))] = true; });
  std::vector<KeptInput> kept;
  for (const auto& [name, id] : plan.inputs)
    if (multiplied[static_cast<size_t>(id)]) kept.push_back({id, kept_bytes(kept), shape(plan, id).size()});
  return kept;
}

size_t kept_bytes(const std::vector<KeptInput>& inputs) {
  if (inputs.empty()) return 0;
  const size_t end = inputs.back().offset + static_cast<size_t>(inputs.back().count) * sizeof(uint16_t);
  return (end + 255) / 256 * 256;
}

}  // namespace ipa::cuda
