#pragma once
// The values of a plan as the graph has them. A picture stays [N, C, H, W] from one convolution to the next and is
// turned to [N, H W, C], once, where an operation reads its pixels as tokens: so does a graph that PyTorch exports.
#include <array>
#include <string>
#include <vector>

#include "plan/plan.h"
#include "to_onnx/graph.h"

namespace ipa::to_onnx {

enum class Layout : uint8_t { image, tokens };  // [N, C, H, W]; [N, T, C]

// The form that a value has where it enters or leaves the graph.
inline Layout natural(const Shape& s) { return s.h == 1 ? Layout::tokens : Layout::image; }
inline Dims dims_in(const Shape& s, Layout layout) {
  return layout == Layout::image ? Dims{s.n, s.c, s.h, s.w} : Dims{s.n, s.tokens(), s.c};
}

struct Placed {
  std::string name;
  Layout layout;
};

class Values {
 public:
  Values(Graph& graph, const Plan& plan) : graph_(graph), plan_(plan), names_(plan.values.size()) {}

  const Shape& shape(ValueId id) const { return plan_.values[static_cast<size_t>(id)].shape; }
  void set(ValueId id, const Placed& made) { name(id, made.layout) = made.name; }
  bool has(ValueId id, Layout layout) const;
  // The name of the value in this layout; the first call writes what turns it.
  std::string get(ValueId id, Layout layout);
  std::string image(ValueId id) { return get(id, Layout::image); }
  std::string tokens(ValueId id) { return get(id, Layout::tokens); }
  // The layout in which an operation on all of them turns least.
  Layout common(const std::vector<ValueId>& ids) const;
  std::string turned(const std::string& from, const Shape& shape, Layout to);

 private:
  std::string& name(ValueId id, Layout layout) { return names_[static_cast<size_t>(id)][static_cast<size_t>(layout)]; }
  // The value whose name stands for this one: a view that only counts its pixels as tokens is the viewed value itself.
  ValueId same(ValueId id, Layout layout) const;

  Graph& graph_;
  const Plan& plan_;
  std::vector<std::array<std::string, 2>> names_;  // by value and layout; empty: not there yet
};

}  // namespace ipa::to_onnx
