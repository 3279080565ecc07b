// Attention as PyTorch exports it: heads as a batch of matrix products, softmax between them.
#include <cmath>
#include <limits>

#include "to_onnx/ops.h"

namespace ipa::to_onnx {

namespace {

// [N, T, C] -> [N, heads, T, d] with order {0, 2, 1, 3}
std::string split(Writing& w, ValueId x, int heads, const Dims& order) {
  const Shape& s = w.values.shape(x);
  const std::string dims = w.graph.integers({s.n, s.tokens(), heads, s.c / heads});
  return w.graph.node("Transpose", {w.graph.node("Reshape", {w.values.tokens(x), dims})}, {{"perm", order}});
}

// [T, T]: nothing where a query may look, else the least number.
std::string future(Writing& w, int64_t tokens) {
  std::vector<float> mask(static_cast<size_t>(tokens * tokens));
  for (int64_t query = 0; query < tokens; ++query)
    for (int64_t key = query + 1; key < tokens; ++key)
      mask[static_cast<size_t>(query * tokens + key)] = std::numeric_limits<float>::lowest();
  return w.graph.floats({tokens, tokens}, mask);
}

}  // namespace

Placed write_attend(Writing& w, const Attend& op) {
  Graph& g = w.graph;
  const Dims by_head = {0, 2, 1, 3};
  const float factor = op.factor > 0 ? op.factor : 1 / std::sqrt(static_cast<float>(w.shape.c / op.heads));
  const std::string q = g.node("Mul", {split(w, op.q, op.heads, by_head), w.numbers({}, factor)});
  std::string y;
  for (const AttendTerm& term : op.terms) {
    std::string scores = g.node("MatMul", {q, split(w, term.k, op.heads, {0, 2, 3, 1})});
    if (op.causal) scores = g.node("Add", {scores, future(w, w.shape.tokens())});
    const std::string shares = g.node("Softmax", {scores}, {{"axis", int64_t{-1}}});
    const std::string heads = g.node("MatMul", {shares, split(w, term.v, op.heads, by_head)});
    const std::string joined = g.node(
        "Reshape", {g.node("Transpose", {heads}, {{"perm", by_head}}), g.integers(dims_in(w.shape, Layout::tokens))});
    const std::string part = scaled(w, joined, Layout::tokens, term.row, term.cell, term.mask);
    y = y.empty() ? part : g.node("Add", {y, part});
  }
  return {y, Layout::tokens};
}

}  // namespace ipa::to_onnx
