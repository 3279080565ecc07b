#pragma once
// What both forms of attention keep: keys and values as packed for a run, and the state of one panel of queries.
#include "cpu/kernels/kernels_of_level.h"
#include "cpu/kernels/math.h"
#include "cpu/kernels/product.h"

namespace ipa::cpu::IPA_ISA {

// Keys and values of one term and image, copied once per run; their order is the level's.
struct PackedTerm {
  Operand* keys;
  Operand* values;
  int64_t tokens, key_step, value_step;  // steps: operands from one head to the next
};

// What a task keeps per panel of queries.
struct PanelState {
  Operand* q;
  float* out;     // [d, kPanel] of the term being walked
  float* result;  // [d, kPanel] sum over terms
  V maximum[2], total[2];
  float length;  // of its longest query; bf16 operands alone
};

// One block of keys for one panel of queries.
struct KeyBlock {
  int64_t head, first_key, keys, first_query;
};

// Scores [keys, kPanel] of keys later than their query become -infinity.
static void hide_later_keys(float* scores, const KeyBlock& block) {
  for (int64_t i = 0; i < block.keys; ++i)
    for (int64_t lane = 0; lane < block.first_key + i - block.first_query && lane < kPanel; ++lane)
      scores[i * kPanel + lane] = -__builtin_inff();
}

// The maximum grew to m: what was summed so far shrinks by f0, f1.
IPA_INLINE void rescale(PanelState& p, V m0, V m1, V f0, V f1, int64_t d) {
  p.total[0] *= f0, p.total[1] *= f1;
  for (int64_t i = 0; i < d * kPanel; i += kPanel) {
    store(p.out + i, load(p.out + i) * f0);
    store(p.out + i + kLanes, load(p.out + i + kLanes) * f1);
  }
  p.maximum[0] = m0, p.maximum[1] = m1;
}

}  // namespace ipa::cpu::IPA_ISA
