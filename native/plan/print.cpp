// A listing of a plan: inputs, one line per op, outputs. Values are numbered in the order they are made, so a listing
// changes only where the plan does.
#include <map>

#include "plan/plan.h"

namespace ipa {

namespace {

const char* function_text(Function f) {
  static constexpr const char* kNames[] = {"identity", "relu", "leaky_relu", "silu", "gelu",  "quick_gelu", "sigmoid",
                                           "tanh",     "exp",  "sqrt",       "abs",  "neg",   "clip",       "floor",
                                           "ceil"};
  return kNames[static_cast<int>(f)];
}

class Printer {
 public:
  explicit Printer(const Plan& plan) : plan_(plan) {}

  std::string run() {
    for (const auto& [name, id] : plan_.inputs) line("input " + number(id) + " " + shape(id) + " " + name);
    for (const Node& node : plan_.nodes) {
      std::string inputs;
      for_each_input(node.op, [&](ValueId id) { inputs += (inputs.empty() ? "" : ", ") + number(id); });
      const std::string details = std::visit([&](const auto& op) { return detail(op); }, node.op);
      line(number(node.output) + " " + shape(node.output) + " = " + op_name(node.op) + "(" + inputs + ")" + details +
           "  " + node.path);
    }
    for (const auto& [name, id] : plan_.outputs) line("output " + number(id) + " " + name);
    return std::move(text_);
  }

 private:
  void line(const std::string& s) { text_ += s + "\n"; }

  std::string number(ValueId id) {
    const ValueId root = plan_.values[id].alias == kNone ? id : plan_.values[id].alias;
    const auto [it, added] = numbers_.try_emplace(root, static_cast<int>(numbers_.size()));
    return "%" + std::to_string(it->second) + (root == id ? "" : " as " + shape(id));
  }
  std::string shape(ValueId id) const { return ipa::text(plan_.values[id].shape); }

  static std::string size(int64_t h, int64_t w) { return std::to_string(h) + "x" + std::to_string(w); }

  static std::string detail(const Epilogue& e) {
    std::string s;
    if (e.channel != kNone) s += " +channel";
    if (e.function != Function::identity) s += std::string(" ") + function_text(e.function);
    if (e.geglu) s += " geglu";
    if (e.residual != kNone) s += " +residual";
    return s;
  }
  static std::string detail(const Conv2d& o) {
    std::string s = " " + size(o.kernel_h, o.kernel_w);
    if (o.stride_h != 1 || o.stride_w != 1) s += " stride " + size(o.stride_h, o.stride_w);
    if (o.virtual_h) s += " from nearest " + size(o.virtual_h, o.virtual_w);
    if (o.groups != 1) s += " groups " + std::to_string(o.groups);
    return s + detail(o.epilogue);
  }
  static std::string detail(const Linear& o) { return detail(o.epilogue); }
  static std::string detail(const GroupNorm& o) {
    return " groups " + std::to_string(o.groups) + (o.function == Function::identity ? "" : " silu");
  }
  static std::string detail(const Attend& o) {
    std::string s = " heads " + std::to_string(o.heads) + (o.causal ? " causal" : "");
    for (const AttendTerm& t : o.terms) {
      if (t.row != kNone) s += " scale " + std::to_string(t.cell);
      if (t.mask != kNone) s += " masked";
    }
    return s;
  }
  static std::string detail(const Apply& o) { return std::string(" ") + function_text(o.function); }
  static std::string detail(const AddScaled& o) {
    return (o.row != kNone ? " scale " + std::to_string(o.cell) : "") + (o.mask != kNone ? " masked" : "");
  }
  static std::string detail(const Concat& o) { return o.axis == 3 ? " channels" : " tokens"; }
  static std::string detail(const Pool& o) { return o.maximum ? " max" : " average"; }
  static std::string detail(const Rearrange& o) { return " " + ipa::text(o.dims) + " by " + ipa::text(o.strides); }
  template <typename T>
  static std::string detail(const T&) {
    return "";
  }

  const Plan& plan_;
  std::map<ValueId, int> numbers_;
  std::string text_;
};

}  // namespace

std::string print(const Plan& plan) { return Printer(plan).run(); }

}  // namespace ipa
