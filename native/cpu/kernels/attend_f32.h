#pragma once
// Attention's blocks with f32 operands. Keys lie as [heads, T / kRows, d, kRows], values as [heads, T, d], queries as
// [d, kPanel] times factor * log2 e; P takes the place of the scores.
#include "cpu/kernels/attend_state.h"

namespace ipa::cpu::IPA_ISA {

inline constexpr int64_t kKeys = 112 / kRows * kRows;  // keys of one block

IPA_INLINE int64_t key_operands(const AttendArgs& a, const AttendTermArgs& t) {  // of one head
  return ceil_div(ceil_div(t.tokens, kRows) * kRows * a.head_dim, 16) * 16;
}
IPA_INLINE int64_t value_operands(const AttendArgs& a, const AttendTermArgs& t) { return t.tokens * a.head_dim; }
IPA_INLINE int64_t query_operands(const AttendArgs& a) { return a.head_dim * kPanel; }  // of one panel
IPA_INLINE int64_t out_floats(const AttendArgs& a) { return a.head_dim * kPanel; }      // of one panel
IPA_INLINE int64_t block_floats(const AttendArgs&) { return kKeys * kPanel; }

static void pack_keys(const AttendArgs& args, const AttendTermArgs& term, int64_t image, int64_t head, int64_t begin,
                      int64_t end, const PackedTerm& to, float* /*scratch*/) {
  const int64_t d = args.head_dim, c = d * args.heads;
  const int64_t from = image * term.image_step + head * d;
  for (int64_t key = begin; key < end; key += kRows) {
    const int64_t rows = least(kRows, end - key);
    float* panel = to.keys + head * to.key_step + key * d;
    if (rows < kRows)
      for (int64_t i = 0; i < d * kRows; ++i) panel[i] = 0;
    transpose(term.k + from + key * c, c, panel, kRows, rows, d);
  }
  for (int64_t key = begin; key < end; ++key) {
    const float* v = term.v + from + key * c;
    float* row = to.values + head * to.value_step + key * d;
    for (int64_t i = 0; i < d; i += kLanes) store_part(row + i, load_part(v + i, d - i), d - i);
  }
}

static void load_queries(const AttendArgs& args, const PanelState& p, int64_t image, int64_t head, int64_t first,
                         int64_t count, float* /*scratch*/) {
  const int64_t d = args.head_dim, c = d * args.heads;
  const V factor = splat(args.factor * 1.44269504f);
  if (count < kPanel)
    for (int64_t i = 0; i < d * kPanel; ++i) p.q[i] = 0;
  transpose(args.q + (image * args.queries + first) * c + head * d, c, p.q, kPanel, count, d);
  for (int64_t i = 0; i < d * kPanel; i += kLanes) store(p.q + i, load(p.q + i) * factor);
}

// S^T [keys, kPanel] -> P^T in place; updates the panel's maximum, total and, when the maximum grew, its output.
static void softmax_block(PanelState& p, float* scores, int64_t keys, int64_t d) {
  V m0 = p.maximum[0], m1 = p.maximum[1];
  for (int64_t i = 0; i < keys; ++i) {
    m0 = larger(m0, load(scores + i * kPanel));
    m1 = larger(m1, load(scores + i * kPanel + kLanes));
  }
  if (any((m0 > p.maximum[0]) | (m1 > p.maximum[1])))
    rescale(p, m0, m1, exp2_negative(p.maximum[0] - m0), exp2_negative(p.maximum[1] - m1), d);
  V t0 = {}, t1 = {};
  for (int64_t i = 0; i < keys; ++i) {
    float* s = scores + i * kPanel;
    const V e0 = exp2_negative(load(s) - m0), e1 = exp2_negative(load(s + kLanes) - m1);
    store(s, e0), store(s + kLanes, e1);
    t0 += e0, t1 += e1;
  }
  p.total[0] += t0, p.total[1] += t1;
}

static void walk_block(const AttendArgs& args, PanelState& p, const PackedTerm& term, const KeyBlock& block,
                       float* scores) {
  const int64_t d = args.head_dim, keys = block.keys;
  for (int64_t key = 0; key < keys; key += kRows) {
    const float* k = term.keys + block.head * term.key_step + (block.first_key + key) * d;
    any_tile<1>(static_cast<int>(least(kRows, keys - key)), k, kRows, p.q, d, scores + key * kPanel, false,
                {reinterpret_cast<const char*>(p.q), 0});
  }
  if (args.causal && block.first_key + keys > block.first_query) hide_later_keys(scores, block);
  softmax_block(p, scores, keys, d);
  const float* v = term.values + block.head * term.value_step + block.first_key * d;
  const int64_t strips = ceil_div(d, kRows);
  for (int64_t strip = 0; strip < strips; ++strip) {
    const int64_t row = d * strip / strips, rows = d * (strip + 1) / strips - row;
    any_tile<1>(static_cast<int>(rows), v + row, d, scores, keys, p.out + row * kPanel, true,
                {reinterpret_cast<const char*>(v), 0});
  }
}

}  // namespace ipa::cpu::IPA_ISA
