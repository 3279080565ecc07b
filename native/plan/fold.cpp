// Merges ops into their neighbours so that a value passes through memory once: element functions, time embeddings and
// residuals into the producer's result path, nearest upsampling into the convolution that reads it, and image-prompt
// attention into the text attention of its site. A merged node stands where its last part stood, so whatever it reads
// has been made by then.
#include <optional>
#include <utility>

#include "plan/plan.h"

namespace ipa {

namespace {

class Folder {
 public:
  explicit Folder(const Plan& plan)
      : plan_(plan), uses_(plan.values.size()), slot_uses_(plan.weights.size()), producer_(plan.values.size(), kNone) {
    for (const ValueInfo& value : plan_.values)
      if (value.alias != kNone) ++uses_[value.alias];
    for (const auto& [name, id] : plan_.outputs) ++uses_[id];
    for (Node& node : plan_.nodes) {
      for_each_input(std::as_const(node.op), [&](ValueId id) { ++uses_[id]; });
      for_each_slot(node.op, [&](SlotId id) { ++slot_uses_[id]; });
    }
  }

  Plan run() {
    for (int i = 0; i < static_cast<int>(plan_.nodes.size()); ++i) {
      std::visit([&](auto& op) { fold(op, i); }, plan_.nodes[i].op);
      producer_[plan_.nodes[i].output] = i;
    }
    std::erase_if(plan_.nodes, [](const Node& node) { return node.output == kNone; });
    return std::move(plan_);
  }

 private:
  // The node that makes `id`, if this is its only reader and the op is of the wanted kind.
  template <typename T>
  T* sole(ValueId id) {
    if (id == kNone || uses_[id] != 1 || producer_[id] == kNone) return nullptr;
    return std::get_if<T>(&plan_.nodes[producer_[id]].op);
  }

  Epilogue* epilogue(ValueId id) {
    if (Conv2d* conv = sole<Conv2d>(id)) return conv->groups == 1 ? &conv->epilogue : nullptr;
    if (Linear* linear = sole<Linear>(id)) return &linear->epilogue;
    return nullptr;
  }

  // The producer of `id` moves to place i and makes node i's value; node i's own op is gone.
  void move_here(ValueId id, int i) {
    Node& producer = plan_.nodes[producer_[id]];
    plan_.nodes[i].op = std::move(producer.op);
    plan_.nodes[i].path = std::move(producer.path);
    producer.output = kNone;
  }

  template <typename T>
  void fold(T&, int) {}

  void fold(Apply& op, int i) {
    const Function f = op.function;
    if (GroupNorm* norm = sole<GroupNorm>(op.x); norm && f == Function::silu && norm->function == Function::identity) {
      norm->function = f;
      return move_here(op.x, i);
    }
    const bool known = f == Function::relu || f == Function::silu || f == Function::gelu || f == Function::quick_gelu;
    Epilogue* e = epilogue(op.x);
    if (!known || !e || e->function != Function::identity || e->geglu || e->residual != kNone) return;
    e->function = f;
    move_here(op.x, i);
  }

  void fold(Geglu& op, int i) {
    Linear* linear = sole<Linear>(op.x);
    if (!linear || slot_uses_[linear->weight] != 1) return;
    Epilogue& e = linear->epilogue;
    if (e.function != Function::identity || e.channel != kNone || e.residual != kNone) return;
    e.geglu = true;
    plan_.weights[linear->weight].role = WeightRole::geglu;
    move_here(op.x, i);
  }

  void fold(AddChannel& op, int i) {
    Epilogue* e = epilogue(op.x);
    if (!e || e->function != Function::identity || e->geglu || e->channel != kNone || e->residual != kNone) return;
    e->channel = op.channel;
    move_here(op.x, i);
  }

  void fold(Add& op, int i) {
    if (plan_.values[op.a].shape != plan_.values[op.b].shape || op.a == op.b) return;
    // The later of the two producers takes the sum: its operands are needed here anyway.
    ValueId into = op.a, other = op.b;
    if (producer_[op.b] > producer_[op.a]) std::swap(into, other);
    Epilogue* e = epilogue(into);
    if (!e || e->residual != kNone) {
      std::swap(into, other);
      e = epilogue(into);
    }
    if (!e || e->residual != kNone) return;
    e->residual = other;
    move_here(into, i);
  }

  void fold(AddScaled& op, int i) {
    Attend* sum = sole<Attend>(op.x);
    Attend* more = sole<Attend>(op.y);
    if (!sum || !more || sum->q != more->q || sum->heads != more->heads || sum->factor != more->factor || sum->causal ||
        more->causal || more->terms.size() != 1 || more->terms[0].row != kNone)
      return;
    AttendTerm term = more->terms[0];
    term.row = op.row, term.cell = op.cell, term.mask = op.mask;
    sum->terms.push_back(term);
    --uses_[sum->q];
    plan_.nodes[producer_[op.y]].output = kNone;
    move_here(op.x, i);
  }

  // Of the 3x3 convolutions that a backend may make as four of 2x2. Sizes have no say: one weight serves all of them.
  static bool keeps_size(const Conv2d& op) {
    return op.kernel_h == 3 && op.kernel_w == 3 && op.stride_h == 1 && op.stride_w == 1 && op.dilation_h == 1 &&
           op.dilation_w == 1 && op.pad_top == 1 && op.pad_left == 1 && op.pad_bottom == 1 && op.pad_right == 1;
  }

  void fold(Conv2d& op, int) {
    if (op.groups != 1) return;
    if (Upsample* up = sole<Upsample>(op.x)) {
      plan_.nodes[producer_[op.x]].output = kNone;
      op.virtual_h = up->h, op.virtual_w = up->w;
      op.x = up->x;
      plan_.weights[op.weight].upsampled = slot_uses_[op.weight] == 1 && keeps_size(op);
    }
  }

  Plan plan_;
  std::vector<int> uses_, slot_uses_;
  std::vector<int> producer_;  // node index by ValueId
};

}  // namespace

Plan fold(const Plan& plan) { return Folder(plan).run(); }

}  // namespace ipa
