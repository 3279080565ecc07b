// A listing of a plan: inputs, one line per op (value, shape, what is done with what, path), outputs. Values are
// numbered in the order they are made. An input goes by its name, without the scope that it shares with the op
// (".time"), so that one more input changes no line but its own and those of its readers.
#include <algorithm>
#include <map>
#include <string>
#include <string_view>

#include "plan/plan.h"

namespace ipa {

const char* compute_text(Compute compute) {
  switch (compute) {
    case Compute::f32:
      return "f32";
    case Compute::bf16:
      return "bf16";
    case Compute::f16:
      return "f16";
  }
  return "";
}

namespace {

const char* function_text(Function f) {
  static constexpr const char* kNames[] = {"identity",   "relu",    "leaky_relu", "silu",  "gelu",
                                           "quick_gelu", "sigmoid", "tanh",       "exp",   "sqrt",
                                           "abs",        "neg",     "clip",       "floor", "ceil"};
  return kNames[static_cast<int>(f)];
}

// `s` filled up to `width` characters; two blanks at least follow it.
std::string column(std::string s, size_t width) {
  s.resize(std::max(s.size() + 2, width), ' ');
  return s;
}

class Printer {
 public:
  explicit Printer(const Plan& plan) : plan_(plan) {}

  std::string run() {
    for (const auto& [name, id] : plan_.inputs) line("input", id, name);
    for (const Node& node : plan_.nodes) {
      path_ = node.path;
      const std::string details = std::visit([&](const auto& op) { return detail(op); }, node.op);
      const std::string done = std::string(op_name(node.op)) + "(" + operands(node.op) + ")" + details;
      numbers_.emplace(node.output, numbers_.size());
      line(reference(node.output), node.output, column(done, 64) + node.path);
    }
    path_ = {};
    for (const auto& [name, id] : plan_.outputs) line("output", id, column(reference(id), 64) + name);
    return std::move(text_);
  }

 private:
  void line(const std::string& what, ValueId id, const std::string& rest) {
    text_ += column(what, 8) + column(shape(id), 18) + rest + "\n";
  }

  // "%7", ".time", or "%7 as 2x1x64x320" for a reshaped view.
  std::string reference(ValueId id) const {
    const ValueInfo& value = plan_.values[id];
    if (value.alias != kNone) return reference(value.alias) + " as " + shape(id);
    if (value.input.empty()) return "%" + std::to_string(numbers_.at(id));
    const size_t dot = value.input.rfind('.');
    const bool shared = dot != std::string::npos && path_.starts_with(value.input.substr(0, dot + 1));
    return shared ? value.input.substr(dot) : value.input;
  }
  std::string shape(ValueId id) const {
    const Shape& s = plan_.values[id].shape;
    return std::to_string(s.n) + "x" + size(s.h, s.w) + "x" + std::to_string(s.c);
  }

  std::string operands(const Op& op) const {
    if (const auto* conv = std::get_if<Conv2d>(&op)) return reference(conv->x);
    if (const auto* linear = std::get_if<Linear>(&op)) return reference(linear->x);
    if (const auto* sum = std::get_if<AddScaled>(&op))
      return reference(sum->x) + ", " + reference(sum->y) + factors(sum->row, sum->cell, sum->mask);
    std::string list;
    if (const auto* attend = std::get_if<Attend>(&op)) {
      list = reference(attend->q);
      for (const AttendTerm& t : attend->terms)
        list += "; " + reference(t.k) + ", " + reference(t.v) + factors(t.row, t.cell, t.mask);
      return list;
    }
    for_each_input(op, [&](ValueId id) { list += (list.empty() ? "" : ", ") + reference(id); });
    return list;
  }
  std::string factors(ValueId row, int cell, ValueId mask) const {
    std::string s;
    if (row != kNone) s += " * " + reference(row) + "[" + std::to_string(cell) + "]";
    if (mask != kNone) s += " * " + reference(mask);
    return s;
  }

  static std::string size(int64_t h, int64_t w) { return std::to_string(h) + "x" + std::to_string(w); }

  std::string detail(const Epilogue& e) const {
    std::string s;
    if (e.channel != kNone) s += " + channel " + reference(e.channel);
    if (e.function != Function::identity) s += std::string(" ") + function_text(e.function);
    if (e.geglu) s += " geglu";
    if (e.residual != kNone) s += " + " + reference(e.residual);
    return s;
  }
  std::string detail(const Conv2d& o) const {
    std::string s = " " + size(o.kernel_h, o.kernel_w);
    if (o.stride_h != 1 || o.stride_w != 1) s += " stride " + size(o.stride_h, o.stride_w);
    if (o.virtual_h) s += " from nearest " + size(o.virtual_h, o.virtual_w);
    if (o.groups != 1) s += " groups " + std::to_string(o.groups);
    return s + detail(o.epilogue);
  }
  std::string detail(const Linear& o) const { return detail(o.epilogue); }
  static std::string detail(const GroupNorm& o) {
    return " groups " + std::to_string(o.groups) + (o.function == Function::identity ? "" : " silu");
  }
  static std::string detail(const Attend& o) {
    return " heads " + std::to_string(o.heads) + (o.causal ? " causal" : "");
  }
  static std::string detail(const Apply& o) { return std::string(" ") + function_text(o.function); }
  static std::string detail(const Concat& o) { return o.axis == 3 ? " channels" : o.axis == 2 ? " tokens" : " rows"; }
  static std::string detail(const Moments& o) { return " groups " + std::to_string(o.groups); }
  static std::string detail(const Pool& o) { return o.maximum ? " max" : " average"; }
  static std::string detail(const Rearrange& o) { return " " + ipa::text(o.dims) + " by " + ipa::text(o.strides); }
  template <typename T>
  static std::string detail(const T&) {
    return "";
  }

  const Plan& plan_;
  std::map<ValueId, size_t> numbers_;
  std::string_view path_;  // of the op being printed
  std::string text_;
};

}  // namespace

std::string print(const Plan& plan) { return Printer(plan).run(); }

}  // namespace ipa
