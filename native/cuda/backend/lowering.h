#pragma once
// From the nodes of a plan to launches. Addresses are those of one program: its arena, its weights, its scratch.
//
// Scratch is what one node needs besides its values: operands cast from f32, sums of split products, moments that no
// product left. Nodes run one after the other, so all share it. Lowering with no scratch at hand tells how much it
// takes.
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cuda/backend/fusion.h"
#include "cuda/backend/stretches.h"
#include "cuda/driver/commands.h"
#include "cuda/driver/device.h"
#include "plan/backend.h"

namespace ipa::cuda {

struct GroupNormSource;  // cuda/kernels/group_norm.h
struct GroupMoments;     // cuda/kernels/moments.h

// A size as kernels take it. DEVICE_UNSUPPORTED where it does not fit.
int32_t number(int64_t size);

// How a matrix lies: as [rows][taps][channels] of 16 bits, which products and convolutions multiply, or as
// [taps][channels][rows] of f32, which the direct convolution reads.
bool packs_operands(const WeightWant& want);
// Whether four weights of 2x2, which convolution_doubled reads, lie behind it (WeightWant::upsampled). Both forms are
// there, since it depends on a plan's sizes which one is read: 45 pixels are not twice 23.
bool packs_doubled(const WeightWant& want);

struct Memories {
  driver::Address arena = 0, scratch = 0, arrivals = 0;  // arrivals: kArrivals counters, zeros between launches
  driver::Address kept = 0;                              // of kept_inputs
};
inline constexpr int64_t kArrivals = 4096;

// Why no kernel takes an op; null where one does.
template <typename T>
inline constexpr const char* kWithoutKernel = nullptr;
template <>
inline constexpr const char* kWithoutKernel<Affine> = "batch norms of ONNX graphs alone (faces), which run on the CPU";
template <>
inline constexpr const char* kWithoutKernel<Pool> = "pools of ONNX graphs alone (faces), which run on the CPU";
template <>
inline constexpr const char* kWithoutKernel<Resize> = "resizes of ONNX graphs alone (faces), which run on the CPU";
template <>
inline constexpr const char* kWithoutKernel<MatMul> =
    "products of two values of ONNX graphs alone, which run on the CPU";
inline constexpr const char* kGroupedWithoutKernel = "grouped convolutions of ONNX graphs alone (faces), as above";

// Where the weights of a plan lie: always at one place, or in the ring when their stretch of nodes runs.
struct WeightAddresses {
  WeightAddresses() = default;
  WeightAddresses(std::vector<driver::Address> all) : resident(std::move(all)) {}
  std::vector<driver::Address> resident;  // by SlotId
  const Ring* ring = nullptr;
  driver::Address ring_at = 0;
};

// A plan as work for a card: the commands of each node, in the plan's order, and what they take besides the values.
struct LoweredPlan {
  std::vector<driver::Commands> nodes;     // none at those that another node's launch makes
  std::vector<driver::Commands> casts;     // of kept_inputs, to be run before the nodes where an input has changed
  std::vector<std::vector<SlotId>> reads;  // weights, by node
  size_t scratch_bytes = 0;
};
LoweredPlan lower_plan(driver::Device& device, const Plan& plan, const Fusion& fusion, const WeightAddresses& weights,
                       const std::vector<Stored>& stored, const Memories& memories);

class Lowering {
 public:
  Lowering(driver::Device& device, const Plan& plan, const Fusion& fusion, const std::vector<driver::Address>& weights,
           const std::vector<Stored>& stored, const Memories& memories)
      : device_(device),
        plan_(plan),
        fusion_(fusion),
        weights_(weights),
        stored_(stored),
        memories_(memories),
        kept_(kept_inputs(plan)) {}

  // A node, or siblings that one launch makes (siblings.h).
  void add(std::span<const Node> nodes, driver::Commands& to);
  void add(const KeptInput& input, driver::Commands& to);
  size_t scratch_bytes() const { return most_scratch_; }
  std::vector<SlotId> take_reads() { return std::exchange(reads_, {}); }  // of the last node added

 private:
  // ---- one function per op ----
  void lower(const Conv2d& op);
  void lower(const Linear& op);
  void lower(const Attend& op);
  void lower(const GroupNorm& op);
  void lower(const Moments& op);
  void lower(const LayerNorm& op);
  void lower(const Apply& op);
  void lower(const Geglu& op);
  void lower(const Add& op);
  void lower(const AddChannel& op);
  void lower(const AddScaled& op);
  void lower(const Concat& op);
  void lower(const Upsample& op);
  void lower(const Embed& op);
  void lower(const Parameter& op);
  void lower(const Sinusoid& op);
  void lower(const TakeToken& op);
  void lower(const Rearrange& op);
  void lower(const Pad& op);
  void lower(const Binary& op);
  void lower(const Softmax& op);
  void lower(const Reduce& op);
  template <typename T>
  void lower(const T& op);  // kWithoutKernel

  struct Matrix;  // of a product: lower_products.cpp
  void multiply_direct(const Matrix& matrix);
  void multiply_tiles(const Matrix& matrix);
  const void* multiplied(const Node& node, ValueId x);
  GroupNormSource norm_source(ValueId x, int64_t unit);
  void count_moments(const Shape& x, const float* from, GroupMoments* parts, int64_t unit, int64_t slab);

  // ---- what they write with ----
  const Shape& shape(ValueId id) const { return plan_.values[static_cast<size_t>(id)].shape; }
  const Shape& result_shape() const { return shape(node_->output); }
  bool is_operand(ValueId id) const { return stored_[static_cast<size_t>(id)] == Stored::operand; }
  driver::Address at(ValueId id) const;
  template <typename T>
  T* as(ValueId id) const {
    return id == kNone ? nullptr : pointer<T>(at(id));
  }
  template <typename T>
  const T* weight(SlotId slot) {
    if (slot == kNone) return nullptr;
    reads_.push_back(slot);
    return pointer<const T>(weights_[static_cast<size_t>(slot)]);
  }
  template <typename T>
  static T* pointer(driver::Address at) {
    return reinterpret_cast<T*>(static_cast<uintptr_t>(at));
  }
  // A value as an operand, cast where it lies as f32 and is not kept; as f32, cast where it lies as an operand.
  const void* operand(ValueId id);
  const float* f32(ValueId id);
  driver::Address scratch(size_t bytes);
  void cast(driver::Address from, const char* from_type, driver::Address to, const char* to_type, int64_t count,
            int64_t period);

  const char* compute() const { return compute_text(plan_.compute); }
  // The word for how the node's result lies.
  const char* out() const { return is_operand(node_->output) ? compute() : "f32"; }
  template <typename Arguments>
  void launch(const std::string& kernel, driver::Grid grid, const Arguments& arguments) {
    commands_->launch(device_.kernel(kernel), grid, arguments);
  }
  // Blocks of an element kernel for so many indices.
  driver::Grid spread(int64_t indices) const;

  driver::Device& device_;
  const Plan& plan_;
  const Fusion& fusion_;
  const std::vector<driver::Address>& weights_;
  std::vector<SlotId> reads_;
  const std::vector<Stored>& stored_;
  const Memories& memories_;
  const std::vector<KeptInput> kept_;
  driver::Commands* commands_ = nullptr;  // those of the node
  std::span<const Node> nodes_;
  const Node* node_ = nullptr;             // the first of them
  size_t scratch_ = 0, most_scratch_ = 0;  // bytes: of this node, of any
};

}  // namespace ipa::cuda
