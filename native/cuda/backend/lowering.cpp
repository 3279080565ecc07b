#include "cuda/backend/lowering.h"

#include <algorithm>
#include <variant>

#include "cuda/backend/siblings.h"
#include "cuda/kernels/elements.h"

namespace ipa::cuda {

int32_t number(int64_t size) {
  if (size <= INT32_MAX) return static_cast<int32_t>(size);
  fail(Code::DEVICE_UNSUPPORTED, std::to_string(size) + " numbers are more than a kernel counts",
       "make the picture or the batch smaller", {{"found", std::to_string(size)}});
}

bool packs_operands(const WeightWant& want) {
  if (want.role != WeightRole::matrix && want.role != WeightRole::geglu) return false;
  return want.compute != Compute::f32 && want.dims[0] % 8 == 0 && want.dims[1] % 8 == 0;
}

bool packs_doubled(const WeightWant& want) { return want.upsampled && packs_operands(want); }

driver::Address Lowering::at(ValueId id) const {
  return memories_.arena + static_cast<driver::Address>(fusion_.layout.offsets[static_cast<size_t>(id)]);
}

driver::Address Lowering::scratch(size_t bytes) {
  const driver::Address at = memories_.scratch + scratch_;
  scratch_ += (bytes + 255) / 256 * 256;
  most_scratch_ = std::max(most_scratch_, scratch_);
  return at;
}

driver::Grid Lowering::spread(int64_t indices) const {
  constexpr int64_t kBlocksPerMultiprocessor = 8;
  const int64_t most = std::max(device_.properties().multiprocessors, 1) * kBlocksPerMultiprocessor;
  return {static_cast<uint32_t>(std::clamp<int64_t>((indices + kElementThreads - 1) / kElementThreads, 1, most))};
}

void Lowering::cast(driver::Address from, const char* from_type, driver::Address to, const char* to_type, int64_t count,
                    int64_t period) {
  const int wide = period % 4 == 0 ? 4 : 1;
  launch(std::string("cast_") + from_type + "_" + to_type + "_x" + std::to_string(wide), spread(count / wide),
         CastArguments{pointer<const void>(from), pointer<void>(to), number(count / wide), number(period / wide)});
}

const void* Lowering::operand(ValueId id) {
  if (is_operand(id)) return as<const void>(id);
  const ValueId alias = plan_.values[static_cast<size_t>(id)].alias;
  for (const KeptInput& input : kept_)
    if (input.id == (alias == kNone ? id : alias)) return pointer<const void>(memories_.kept + input.offset);
  const int64_t count = shape(id).size();
  const driver::Address to = scratch(static_cast<size_t>(count) * sizeof(uint16_t));
  cast(at(id), "f32", to, compute(), count, count);
  return pointer<const void>(to);
}

const float* Lowering::f32(ValueId id) {
  if (!is_operand(id)) return as<const float>(id);
  const int64_t count = shape(id).size();
  const driver::Address to = scratch(static_cast<size_t>(count) * sizeof(float));
  cast(at(id), compute(), to, "f32", count, count);
  return pointer<const float>(to);
}

template <typename T>
void Lowering::lower(const T&) {
  static_assert(kWithoutKernel<T> != nullptr, "an op without a kernel says why");
  fail(Code::DEVICE_UNSUPPORTED, node_->path + ": " + op_name(node_->op) + " has no CUDA kernel",
       "run this network on the CPU", {{"stage", node_->path}});
}

void Lowering::add(std::span<const Node> nodes, driver::Commands& to) {
  nodes_ = nodes, node_ = &nodes[0], commands_ = &to;
  scratch_ = 0;
  std::visit([this](const auto& op) { lower(op); }, node_->op);
}

void Lowering::add(const KeptInput& input, driver::Commands& to) {
  commands_ = &to;
  cast(at(input.id), "f32", memories_.kept + input.offset, compute(), input.count, input.count);
}

LoweredPlan lower_plan(driver::Device& device, const Plan& plan, const Fusion& fusion, const WeightAddresses& weights,
                       const std::vector<Stored>& stored, const Memories& memories) {
  LoweredPlan lowered;
  std::vector<driver::Address> at = weights.resident;  // for the node that is lowered
  Lowering lowering(device, plan, fusion, at, stored, memories);
  size_t stretch = 0;
  const std::vector<int> made = made_together(plan, fusion, stored);
  for (size_t i = 0; i < plan.nodes.size(); ++i) {
    for (; weights.ring && stretch < weights.ring->stretches.size() && weights.ring->stretches[stretch].first <= i;
         ++stretch)
      for (const Stretch::Piece& piece : weights.ring->stretches[stretch].pieces)
        at[static_cast<size_t>(piece.weight)] = weights.ring_at + weights.ring->place(stretch, piece);
    driver::Commands& commands = lowered.nodes.emplace_back();
    const bool absorbed = fusion.absorbed[static_cast<size_t>(plan.nodes[i].output)];
    if (made[i] > 0 && !absorbed) lowering.add({&plan.nodes[i], static_cast<size_t>(made[i])}, commands);
    lowered.reads.push_back(lowering.take_reads());
  }
  for (const KeptInput& input : kept_inputs(plan)) lowering.add(input, lowered.casts.emplace_back());
  lowered.scratch_bytes = lowering.scratch_bytes();
  return lowered;
}

}  // namespace ipa::cuda
