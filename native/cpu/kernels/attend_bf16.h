#pragma once
// Attention's blocks with bf16 operands, both products by `product`. Keys lie as rows [heads, T, d], values as
// [heads, T / kKeys, d, kKeys], queries and P as packed panels (bf16.h) of k = d and k = keys. Sums, maxima and
// exponentials are f32; queries are rounded as they come, so the factor joins in the exponent.
#include "cpu/kernels/attend_state.h"

namespace ipa::cpu::IPA_ISA {

inline constexpr int64_t kKeys = 128;  // keys of one block: scores and P of a panel take 24 KiB

IPA_INLINE int64_t depth_of(int64_t k) { return ceil_div(k, kDepthUnit) * kDepthUnit; }
IPA_INLINE int64_t tile_rows(int64_t rows) { return ceil_div(rows, 16) * 16; }  // that `product` may touch

IPA_INLINE int64_t key_operands(const AttendArgs& a, const AttendTermArgs& t) {  // of one head
  return tile_rows(t.tokens) * depth_of(a.head_dim);
}
IPA_INLINE int64_t value_operands(const AttendArgs& a, const AttendTermArgs& t) {
  return ceil_div(t.tokens, kKeys) * tile_rows(a.head_dim) * kKeys;
}
IPA_INLINE int64_t query_operands(const AttendArgs& a) { return depth_of(a.head_dim) * kPanel; }  // of one panel
IPA_INLINE int64_t out_floats(const AttendArgs& a) { return tile_rows(a.head_dim) * kPanel; }      // of one panel
// Scores [kKeys, kPanel], P, and [d, 32] numbers on their way into another order.
IPA_INLINE int64_t block_floats(const AttendArgs& a) {
  return kKeys * kPanel + kKeys * kPanel / 2 + depth_of(a.head_dim) * kDepthUnit;
}
IPA_INLINE float* order_floats(float* scratch) { return scratch + kKeys * kPanel + kKeys * kPanel / 2; }

static void pack_keys(const AttendArgs& args, const AttendTermArgs& term, int64_t image, int64_t head, int64_t begin,
                      int64_t end, const PackedTerm& to, float* scratch) {
  const int64_t d = args.head_dim, c = d * args.heads, depth = depth_of(d), rows = tile_rows(d);
  const float* k = term.k + image * term.image_step + head * d;
  const float* v = term.v + image * term.image_step + head * d;
  Operand* keys = to.keys + head * to.key_step;
  for (int64_t key = begin; key < end; ++key) {
    copy(k + key * c, keys + key * depth, d);
    clear(keys + key * depth + d, depth - d);
  }
  float* order = order_floats(scratch);  // [d, 32]
  for (int64_t key = begin; key < end; key += kDepthUnit) {
    const int64_t count = least(kDepthUnit, end - key);
    if (count < kDepthUnit)  // keys that do not exist weigh nothing, and 0 * NaN must not come up
      for (int64_t i = 0; i < d * kDepthUnit; ++i) order[i] = 0;
    transpose(v + key * c, c, order, kDepthUnit, count, d);
    Operand* values = to.values + head * to.value_step + key / kKeys * rows * kKeys + key % kKeys;
    for (int64_t i = 0; i < d; ++i) copy(order + i * kDepthUnit, values + i * kKeys, kDepthUnit);
  }
}

static void load_queries(const AttendArgs& args, const PanelState& p, int64_t image, int64_t head, int64_t first,
                         int64_t count, float* scratch) {
  const int64_t d = args.head_dim, c = d * args.heads, depth = depth_of(d);
  float* order = order_floats(scratch);  // [d, kPanel]
  for (int64_t i = count < kPanel ? 0 : d * kPanel; i < depth * kPanel; ++i) order[i] = 0;
  transpose(args.q + (image * args.queries + first) * c + head * d, c, order, kPanel, count, d);
  const V sign = splat(args.factor < 0 ? -1.0f : 1.0f);
  for (int64_t k = 0; k < depth; k += 2)
    for (int64_t half = 0; half < 2; ++half) {
      const float* from = order + k * kPanel + half * kLanes;
      Operand* tile = p.q + (k / kDepthUnit * 2 + half) * kTileHalf;
      store_pairs(tile + k % kDepthUnit / 2 * kPanel, pairs(load(from) * sign, load(from + kPanel) * sign));
    }
}

// S^T [keys, kPanel] -> P^T as a packed panel of depth_of(keys); `factor` is positive and includes log2 e.
static void softmax_block(PanelState& p, const float* scores, int64_t keys, int64_t d, V factor, Operand* weights) {
  V m0 = p.maximum[0], m1 = p.maximum[1];
  for (int64_t i = 0; i < keys; ++i) {
    m0 = larger(m0, load(scores + i * kPanel));
    m1 = larger(m1, load(scores + i * kPanel + kLanes));
  }
  if (any((m0 > p.maximum[0]) | (m1 > p.maximum[1])))
    rescale(p, m0, m1, exp2_negative((p.maximum[0] - m0) * factor), exp2_negative((p.maximum[1] - m1) * factor), d);
  V t0 = {}, t1 = {};
  const V top0 = -m0 * factor, top1 = -m1 * factor;
  for (int64_t i = 0; i < depth_of(keys); i += 2) {
    const float* s = scores + i * kPanel;
    V even0 = {}, even1 = {}, odd0 = {}, odd1 = {};
    if (i < keys) {
      even0 = exp2_negative(fma(load(s), factor, top0)), even1 = exp2_negative(fma(load(s + kLanes), factor, top1));
      t0 += even0, t1 += even1;
    }
    if (i + 1 < keys) {
      s += kPanel;
      odd0 = exp2_negative(fma(load(s), factor, top0)), odd1 = exp2_negative(fma(load(s + kLanes), factor, top1));
      t0 += odd0, t1 += odd1;
    }
    Operand* row = weights + i / kDepthUnit * 2 * kTileHalf + i % kDepthUnit / 2 * kPanel;
    store_pairs(row, pairs(even0, odd0)), store_pairs(row + kTileHalf, pairs(even1, odd1));
  }
  p.total[0] += t0, p.total[1] += t1;
}

static void walk_block(const AttendArgs& args, PanelState& p, const PackedTerm& term, const KeyBlock& block,
                       float* scratch) {
  const int64_t d = args.head_dim, depth = depth_of(d), keys = block.keys;
  float* scores = scratch;
  Operand* weights = reinterpret_cast<Operand*>(scratch + kKeys * kPanel);
  const Operand* k = term.keys + block.head * term.key_step + block.first_key * depth;
  const Ahead nothing = {reinterpret_cast<const char*>(p.q), 0};
  for (int64_t key = 0; key < keys; key += kStrip)
    product(static_cast<int>(least(kStrip, keys - key)), k + key * depth, depth, p.q, depth, scores + key * kPanel,
            false, nothing);
  if (args.causal && block.first_key + keys > block.first_query) hide_later_keys(scores, block);
  softmax_block(p, scores, keys, d, splat(__builtin_fabsf(args.factor) * 1.44269504f), weights);
  const Operand* v = term.values + block.head * term.value_step + block.first_key * tile_rows(d);
  for (int64_t row = 0; row < d; row += kStrip)
    product(static_cast<int>(least(kStrip, d - row)), v + row * kKeys, kKeys, weights, depth_of(keys),
            p.out + row * kPanel, true, nothing);
}

}  // namespace ipa::cpu::IPA_ISA
