#pragma once
// Attention's blocks with bf16 operands, both products by `product`. Keys lie as rows [heads, T, d], values as
// [heads, T / kKeys, d, kKeys], queries and P as packed panels (bf16.h) of k = d and k = keys. Sums, maxima and
// exponentials are f32; queries are rounded as they come, so the factor joins in the exponent.
// Rounded to 8 bits, a score of hundreds would be off by parts of one and the softmax by as much. Keys and queries are
// therefore kept as two bf16 each, high + low, and where their lengths allow such scores the products high . low are
// added; what decides is the block of keys and the panel of queries, so no thread count changes it.
#include "cpu/kernels/attend_state.h"

namespace ipa::cpu::IPA_ISA {

inline constexpr int64_t kKeys = 128;  // keys of one block: scores and P of a panel take 24 KiB

IPA_INLINE int64_t depth_of(int64_t k) { return ceil_div(k, kDepthUnit) * kDepthUnit; }
IPA_INLINE int64_t steps_of(int64_t k) { return ceil_div(k, kStepDepth) * kStepDepth; }  // that `product` must walk
IPA_INLINE int64_t tile_rows(int64_t rows) { return ceil_div(rows, 16) * 16; }           // that `product` may touch

inline constexpr float kSharp = 48;  // |q| |k| factor, a limit of scores: up to here one product is enough

// Rows [T][high | low], then the largest length of a key per block.
IPA_INLINE int64_t key_rows(const AttendArgs& a, int64_t tokens) {
  return tile_rows(tokens) * 2 * depth_of(a.head_dim);
}
IPA_INLINE int64_t key_operands(const AttendArgs& a, const AttendTermArgs& t) {  // of one head
  return depth_of(key_rows(a, t.tokens) + ceil_div(t.tokens, kKeys) * 2);
}
IPA_INLINE float* key_lengths(const AttendArgs& a, const PackedTerm& t, int64_t head) {
  return reinterpret_cast<float*>(t.keys + head * t.key_step + key_rows(a, t.tokens));
}
IPA_INLINE int64_t value_operands(const AttendArgs& a, const AttendTermArgs& t) {
  return ceil_div(t.tokens, kKeys) * tile_rows(a.head_dim) * kKeys;
}
IPA_INLINE int64_t query_operands(const AttendArgs& a) { return 2 * depth_of(a.head_dim) * kPanel; }  // of one panel
IPA_INLINE int64_t out_floats(const AttendArgs& a) { return tile_rows(a.head_dim) * kPanel; }         // of one panel
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
  float* lengths = key_lengths(args, to, head);
  for (int64_t key = begin; key < end; ++key) {
    Operand *high = keys + key * 2 * depth, *low = high + depth;
    V square = {};
    for (int64_t i = 0; i < depth; i += kLanes) {
      const V x = i < d ? load_part(k + key * c + i, d - i) : V{}, rest = x - reinterpret_cast<V>(rounded(x));
      square = fma(x, x, square);
      store_rounded(high + i, x), store_rounded(low + i, rest);
    }
    const float length = __builtin_sqrtf(sum(square));
    float& largest = lengths[key / kKeys];
    if (key % kKeys == 0 || length > largest) largest = length;
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

static void load_queries(const AttendArgs& args, PanelState& p, int64_t image, int64_t head, int64_t first,
                         int64_t count, float* scratch) {
  const int64_t d = args.head_dim, c = d * args.heads, depth = depth_of(d);
  float* order = order_floats(scratch);  // [d, kPanel]
  for (int64_t i = count < kPanel ? 0 : d * kPanel; i < depth * kPanel; ++i) order[i] = 0;
  transpose(args.q + (image * args.queries + first) * c + head * d, c, order, kPanel, count, d);
  const V sign = splat(args.factor < 0 ? -1.0f : 1.0f);
  V square[2] = {};
  for (int64_t k = 0; k < depth; k += 2)
    for (int64_t half = 0; half < 2; ++half) {
      const float* from = order + k * kPanel + half * kLanes;
      Operand* to = p.q + (k / kDepthUnit * 2 + half) * kTileHalf + k % kDepthUnit / 2 * kPanel;
      const V even = load(from) * sign, odd = load(from + kPanel) * sign;
      square[half] = fma(even, even, fma(odd, odd, square[half]));
      store_pairs(to, pairs(even, odd));
      store_pairs(to + depth * kPanel,
                  pairs(even - reinterpret_cast<V>(rounded(even)), odd - reinterpret_cast<V>(rounded(odd))));
    }
  const V largest = larger(square[0], square[1]);
  p.length = 0;
  for (int lane = 0; lane < kLanes; ++lane)
    if (largest[lane] > p.length) p.length = largest[lane];
  p.length = __builtin_sqrtf(p.length);
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
  for (int64_t i = 0; i < steps_of(keys); i += 2) {
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
  const int64_t d = args.head_dim, depth = depth_of(d), steps = steps_of(d), keys = block.keys;
  const float factor = __builtin_fabsf(args.factor);
  float* scores = scratch;
  Operand* weights = reinterpret_cast<Operand*>(scratch + kKeys * kPanel);
  const Operand *k = term.keys + block.head * term.key_step + block.first_key * 2 * depth, *q = p.q;
  const bool sharp = p.length * key_lengths(args, term, block.head)[block.first_key / kKeys] * factor > kSharp;
  const Ahead nothing = {reinterpret_cast<const char*>(q), 0};
  for (int64_t key = 0; key < keys; key += kStrip, k += kStrip * 2 * depth) {
    const int rows = static_cast<int>(least(kStrip, keys - key));
    float* s = scores + key * kPanel;
    product(rows, k, 2 * depth, q, steps, s, false, nothing);
    if (sharp) {
      product(rows, k + depth, 2 * depth, q, steps, s, true, nothing);
      product(rows, k, 2 * depth, q + depth * kPanel, steps, s, true, nothing);
    }
  }
  if (args.causal && block.first_key + keys > block.first_query) hide_later_keys(scores, block);
  softmax_block(p, scores, keys, d, splat(factor * 1.44269504f), weights);
  const Operand* v = term.values + block.head * term.value_step + block.first_key * tile_rows(d);
  for (int64_t row = 0; row < d; row += kStrip)
    product(static_cast<int>(least(kStrip, d - row)), v + row * kKeys, kKeys, weights, steps_of(keys),
            p.out + row * kPanel, true, nothing);
}

}  // namespace ipa::cpu::IPA_ISA
