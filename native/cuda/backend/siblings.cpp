#include "cuda/backend/siblings.h"

#include <algorithm>
#include <variant>

#include "cuda/kernels/product.h"

namespace ipa::cuda {

namespace {

class Family {
 public:
  Family(const Plan& plan, const Fusion& fusion, const std::vector<Stored>& stored)
      : plan_(plan), fusion_(fusion), layout_(fusion.layout), stored_(stored) {}

  // How many nodes from `first` on are one launch.
  int size(size_t first) const {
    int count = 1;
    while (count < kMostProductParts && first + count < plan_.nodes.size() && joins(first, first + count)) ++count;
    return count;
  }

 private:
  struct Bytes {
    int64_t first, end;
  };

  // Whether the node goes with those from `first` up to it.
  bool joins(size_t first, size_t node) const {
    const Linear* const one = linear(first);
    const Linear* const other = linear(node);
    if (!one || !other || one->out != other->out || one->epilogue.function != other->epilogue.function) return false;
    if (layout_.offsets[at(one->x)] != layout_.offsets[at(other->x)] || !same_rows(one->x, other->x)) return false;
    const ValueId result = plan_.nodes[node].output;
    if (stored_[at(result)] != stored_[at(plan_.nodes[first].output)]) return false;
    // In the plan's order the place of a result may be free by then; in one launch everything is alive at once.
    bool apart = !overlap(bytes(result), bytes(one->x));
    for (size_t i = first; i < node; ++i) apart = apart && !overlap(bytes(result), bytes(plan_.nodes[i].output));
    return apart;
  }

  // A layer of operands whose result goes nowhere but to its place, without moments.
  const Linear* linear(size_t node) const {
    const Linear* const op = std::get_if<Linear>(&plan_.nodes[node].op);
    if (!op || !takes_operands(plan_, plan_.nodes[node])) return nullptr;
    const Epilogue& e = op->epilogue;
    return fusion_.product(plan_.nodes[node].output) || e.geglu || e.channel != kNone || e.residual != kNone ? nullptr
                                                                                                             : op;
  }

  static size_t at(ValueId id) { return static_cast<size_t>(id); }
  bool same_rows(ValueId a, ValueId b) const {
    return plan_.values[at(a)].shape.c == plan_.values[at(b)].shape.c &&
           plan_.values[at(a)].shape.rows() == plan_.values[at(b)].shape.rows();
  }
  Bytes bytes(ValueId id) const {
    const int64_t first = layout_.offsets[at(id)];
    return {first, first + plan_.values[at(id)].shape.size() * (stored_[at(id)] == Stored::operand ? 2 : 4)};
  }
  static bool overlap(Bytes a, Bytes b) { return a.first < b.end && b.first < a.end; }

  const Plan& plan_;
  const Fusion& fusion_;
  const Layout& layout_;
  const std::vector<Stored>& stored_;
};

}  // namespace

std::vector<int> made_together(const Plan& plan, const Fusion& fusion, const std::vector<Stored>& stored) {
  const Family family(plan, fusion, stored);
  std::vector<int> made(plan.nodes.size());
  for (size_t i = 0; i < plan.nodes.size(); i += static_cast<size_t>(std::max(made[i], 1))) made[i] = family.size(i);
  return made;
}

}  // namespace ipa::cuda
