#include "cuda/backend/fusion.h"

#include <algorithm>
#include <set>
#include <variant>

#include "cuda/kernels/group_norm.h"

namespace ipa::cuda {

namespace {

class Fuser {
 public:
  Fuser(const Plan& plan, const std::vector<Stored>& stored, const driver::Properties& card)
      : plan_(plan), stored_(stored), card_(card), readers_(plan.values.size()), producers_(plan.values.size()) {
    fusion_.absorbed.resize(plan.values.size());
    for (const Node& node : plan.nodes) {
      producers_[index(node.output)] = &node;
      for_each_input(node.op, [&](ValueId id) { readers_[index(root(plan_, id))].push_back({&node, id}); });
    }
    for (const auto& [name, id] : plan.outputs) kept_.insert(root(plan, id));
  }

  Fusion run() {
    for (const Node& node : plan_.nodes)
      if (const auto* conv = std::get_if<Conv2d>(&node.op)) append(node, *conv);
    for (const Node& node : plan_.nodes)
      if (const auto* norm = std::get_if<GroupNorm>(&node.op)) take_apart(node, *norm);
    for (const Node& node : plan_.nodes)
      if (const auto* norm = std::get_if<GroupNorm>(&node.op)) count(node, *norm);
    fusion_.layout = layout();
    return std::move(fusion_);
  }

 private:
  struct Reader {
    const Node* node;
    ValueId id;  // the value or a view of it
  };

  static size_t index(ValueId id) { return static_cast<size_t>(id); }
  const Shape& shape(ValueId id) const { return plan_.values[index(id)].shape; }
  bool is_f32(ValueId id) const { return stored_[index(id)] == Stored::f32; }
  AreaId new_area(int64_t words) {
    areas_.push_back(words);
    return static_cast<AreaId>(plan_.values.size() + areas_.size() - 1);
  }

  // ---- a shortcut and the convolution before it ----

  static bool is_pointwise(const Conv2d& op) {
    return op.kernel_h == 1 && op.kernel_w == 1 && op.stride_h == 1 && op.stride_w == 1 && op.pad_top == 0 &&
           op.pad_left == 0 && op.pad_bottom == 0 && op.pad_right == 0 && op.virtual_h == 0;
  }
  static bool is_plain(const Epilogue& e) { return e.function == Function::identity && !e.geglu && e.channel == kNone; }

  void append(const Node& node, const Conv2d& shortcut) {
    const ValueId sum = shortcut.epilogue.residual;
    if (sum == kNone || !is_pointwise(shortcut) || !is_plain(shortcut.epilogue) || !is_f32(node.output)) return;
    const Node* const before = producers_[index(sum)];  // null of views and inputs
    const auto* conv = before ? std::get_if<Conv2d>(&before->op) : nullptr;
    if (!conv || !is_plain(conv->epilogue) || conv->epilogue.residual != kNone || conv->virtual_h != 0) return;
    if (!takes_operands(plan_, node) || !takes_operands(plan_, *before)) return;
    if (readers_[index(sum)].size() != 1 || kept_.contains(sum)) return;
    fusion_.absorbed[index(sum)] = true;
    FusedProduct& product = fusion_.products[node.output];
    product.convolution = before;
    product.cut = cut_of(size(node), card_);
  }

  ProductExtent size(const Node& node) const {
    if (const auto* linear = std::get_if<Linear>(&node.op))
      return {shape(linear->x).rows(), linear->out, shape(linear->x).c};
    const auto depth = [&](const Node& of) {
      const Conv2d& op = std::get<Conv2d>(of.op);
      return shape(op.x).c * op.kernel_h * op.kernel_w;
    };
    const FusedProduct* const fused = fusion_.product(node.output);
    ProductExtent size{shape(node.output).rows(), std::get<Conv2d>(node.op).out, depth(node)};
    if (!fused || !fused->convolution) return size;
    size.k += (depth(*fused->convolution) + kDepth - 1) / kDepth * kDepth;
    size.shortcut = true;
    return size;
  }

  // ---- what a norm reads, and what it writes besides ----

  void take_apart(const Node& node, const GroupNorm& norm) {
    const ValueId x = norm.x;
    if (root(plan_, x) != x || fusion_.operands.contains(x) || !is_f32(x)) return;
    const std::vector<Reader>& readers = readers_[index(x)];
    bool norms_alone = !kept_.contains(x), may_round = !is_f32(node.output), multiplied = false;
    for (const Reader& reader : readers) {
      if (std::holds_alternative<GroupNorm>(reader.node->op)) {
        norms_alone = norms_alone && reader.id == x;
      } else if (multiplies(plan_, *reader.node, x)) {
        multiplied = true;
        may_round = may_round && reader.node > &node;  // nodes are in the order of their launches
      } else {
        norms_alone = false;
      }
    }
    const auto* concat = producers_[index(x)] ? std::get_if<Concat>(&producers_[index(x)]->op) : nullptr;
    if (multiplied && may_round) fusion_.operands[x] = {new_area((shape(x).size() + 1) / 2), &node};
    if (concat && norms_alone && (!multiplied || may_round) && concat->axis == 3 && concat->xs.size() == 2) {
      fusion_.sources[x] = concat->xs;
      fusion_.absorbed[index(x)] = true;
    }
  }

  // ---- moments ----

  void count(const Node& node, const GroupNorm& norm) {
    if (norm.moments != kNone) return;
    const auto joined = fusion_.sources.find(norm.x);
    const std::vector<ValueId> sources = joined == fusion_.sources.end() ? std::vector{norm.x} : joined->second;
    if (shape(node.output).c / norm.groups % 2 != 0) return;
    for (const ValueId id : sources) {
      const ValueId x = root(plan_, id);
      const Node* const producer = producers_[index(x)];
      if (!producer || fusion_.absorbed[index(x)] || !is_f32(x) || !takes_operands(plan_, *producer)) continue;
      if (shape(id).c != shape(x).c || shape(id).n != shape(x).n || !leaves_moments(producer->op)) continue;
      const FusedProduct* const known = fusion_.product(x);
      if (known && known->moments != kNone) continue;
      const ProductExtent product = size(*producer);
      const Cut cut = cut_of(product, card_);
      const int64_t rows = moment_rows(cut, shape(x));
      if (rows == 0) continue;
      FusedProduct& fused = fusion_.products[x];
      fused.cut = cut, fused.moment_rows = rows;
      fused.moments = new_area((product.m + rows - 1) / rows * product.n);
    }
  }

  // Rows of a part, none of two images; 0 where there are no such parts.
  static int64_t moment_rows(const Cut& cut, const Shape& x) {
    constexpr int64_t kLeast = 64;
    if (x.n == 1 || x.tokens() % cut.tile->m == 0) return cut.tile->m;
    return x.tokens() % kLeast == 0 ? kLeast : 0;
  }

  static bool leaves_moments(const Op& op) {
    if (const auto* conv = std::get_if<Conv2d>(&op)) return conv->virtual_h == 0;
    const auto* linear = std::get_if<Linear>(&op);
    return linear && !linear->epilogue.geglu;
  }

  // ---- where everything lies ----

  // place() of a plan in which each node reads what its launches read, and makes its areas besides. Those are nodes of
  // their own, after it, which read all that it reads and makes: one launch has everything alive at once.
  Layout layout() const {
    Plan launches;
    launches.values = plan_.values, launches.inputs = plan_.inputs, launches.outputs = plan_.outputs;
    for (const int64_t words : areas_) launches.values.emplace_back().shape = {1, 1, 1, words};
    for (const Node& node : plan_.nodes) {
      if (fusion_.absorbed[index(node.output)]) continue;
      Concat reads{reads_of(node)};
      launches.nodes.push_back({reads, node.output, node.path});
      reads.xs.push_back(node.output);
      for (const AreaId area : areas_of(node)) {
        launches.nodes.push_back({reads, area, node.path});
        reads.xs.push_back(area);
      }
    }
    std::vector<ValueMemory> memory(launches.values.size());
    for (size_t id = 0; id < stored_.size(); ++id)
      if (stored_[id] == Stored::operand) memory[id].number_bytes = sizeof(uint16_t);
    return place(launches, memory);
  }

  std::vector<ValueId> reads_of(const Node& node) const {
    std::vector<ValueId> reads;
    const auto* norm = std::get_if<GroupNorm>(&node.op);
    const FusedProduct* const fused = fusion_.product(node.output);
    const auto read_all = [&](const Node& of) {
      for_each_input(of.op, [&](ValueId id) {
        const auto sources = fusion_.sources.find(id);
        const auto operand = fusion_.operands.find(id);
        if (norm && sources != fusion_.sources.end())
          reads.insert(reads.end(), sources->second.begin(), sources->second.end());
        else if (operand != fusion_.operands.end() && multiplies(plan_, of, id))
          reads.push_back(operand->second.area);
        else if (!fusion_.absorbed[index(root(plan_, id))])
          reads.push_back(id);
      });
    };
    read_all(node);
    if (fused && fused->convolution) read_all(*fused->convolution);
    if (!norm) return reads;
    const std::vector<ValueId> values = reads;
    for (const ValueId id : values) {
      const FusedProduct* const producer = fusion_.product(root(plan_, id));
      if (producer && producer->moments != kNone) reads.push_back(producer->moments);
    }
    return reads;
  }

  std::vector<AreaId> areas_of(const Node& node) const {
    std::vector<AreaId> areas;
    const FusedProduct* const fused = fusion_.product(node.output);
    if (fused && fused->moments != kNone) areas.push_back(fused->moments);
    for (const auto& [value, operand] : fusion_.operands)
      if (operand.norm == &node) areas.push_back(operand.area);
    return areas;
  }

  const Plan& plan_;
  const std::vector<Stored>& stored_;
  const driver::Properties& card_;
  std::vector<std::vector<Reader>> readers_;  // by value, views counted in
  std::vector<const Node*> producers_;        // by value; null of inputs and views
  std::set<ValueId> kept_;                    // outputs of the plan
  std::vector<int64_t> areas_;                // words of 4 bytes
  Fusion fusion_;
};

}  // namespace

bool multiplies(const Plan& plan, const Node& node, ValueId x) {
  const auto alone = [&](const auto& op) {
    return op.x == x && op.epilogue.residual != x && op.epilogue.channel != x && takes_operands(plan, node);
  };
  if (const auto* conv = std::get_if<Conv2d>(&node.op)) return alone(*conv);
  const auto* linear = std::get_if<Linear>(&node.op);
  return linear && alone(*linear);
}

Fusion fuse(const Plan& plan, const std::vector<Stored>& stored, const driver::Properties& card) {
  return Fuser(plan, stored, card).run();
}

}  // namespace ipa::cuda
