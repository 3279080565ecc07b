#pragma once
// K4: y = sum over terms of scale * mask * softmax(q k^T * factor) v, each term with its own softmax: the text and up
// to seven image prompts. Scales and masks are read from device memory; a scale of 0 skips its term. q, k, v of 16
// bits, the rest in f32, y f32 or of 16 bits.
//
// Tile: a block has kQueries queries of one head and goes over the keys of all terms, kKeys at a time, kStages - 1
// tiles ahead, over the ends of terms too. Q is read once, y written once; a second set of sums holds what the ended
// terms left, so a warp has one row tile, and from 128 on half of the columns. Bound: memory, the bytes of q and y; K
// and V come from L2. Measured fraction of the bound: none yet, no card has run it.
#include "cuda/kernels/attention_parts.h"

namespace ipa::cuda {

using CrossAttention40 = AttentionTile<40, 1, 4, 32, 3>;
using CrossAttention64 = AttentionTile<64, 1, 4, 32, 3>;
using CrossAttention80 = AttentionTile<80, 1, 4, 32, 3>;
using CrossAttention104 = AttentionTile<104, 1, 4, 32, 3>;
using CrossAttention128 = AttentionTile<128, 1, 4, 32, 2, 2>;
using CrossAttention160 = AttentionTile<160, 1, 4, 32, 2, 2>;

namespace attention_parts {

// A tile of keys of some term. A term that is skipped is none.
struct TermPlace {
  int term, first;

  // To the first term from here on that counts.
  IPA_DEVICE void settle(const AttentionTermsArguments& arguments) {
    while (term < arguments.term_count && skipped(arguments.terms[term])) ++term;
  }
  IPA_DEVICE bool ends(const AttentionTermsArguments& arguments, int keys) const {
    return first + keys >= arguments.terms[term].keys.tokens;
  }
  IPA_DEVICE void advance(const AttentionTermsArguments& arguments, int keys) {
    if (ends(arguments, keys)) {
      ++term, first = 0;
      settle(arguments);
    } else {
      first += keys;
    }
  }
};

}  // namespace attention_parts

// head_size <= Tile::kHead, not causal; grid: tiles of queries, heads, images
template <typename Operand, typename Out, typename Tile>
IPA_DEVICE void cross_attention(const AttentionTermsArguments& arguments) {
  using namespace attention_parts;
  const AttentionQueries& given = arguments.queries;
  const WarpPlace<Tile> at;
  const int column = at.head * given.head_size;
  const float factor = given.factor * kLog2E;

  Operand* const q = shared_memory<Operand>();               // [kQueries][kKRow]
  Operand* const stages = q + Tile::kQueries * Tile::kKRow;  // [kStages][kStage]
  load_queries(q, given, at);

  TermPlace place{0, 0};
  place.settle(arguments);
  TermPlace ahead = place;  // of the next copies
  const auto load = [&](int step) {
    if (ahead.term < arguments.term_count) {
      const HeadKeys<Operand> keys(arguments.terms[ahead.term].keys, at.image, column);
      load_keys<Tile>(stages + step % Tile::kStages * Tile::kStage, keys, ahead.first, given.head_size);
      ahead.advance(arguments, Tile::kKeys);
    }
    copy_commit();  // empty groups too, so that the count of the wait holds to the end
  };
  for (int step = 0; step < Tile::kStages - 1; ++step) load(step);

  float sums[Tile::kRowTiles][Tile::kColumnTiles][4] = {};  // of the terms that have ended
  Softmax<Tile> softmax;
  softmax.clear();
  for (int step = 0; place.term < arguments.term_count; ++step) {
    copy_wait<Tile::kStages - 2>();  // this step's copies have landed
    block_barrier();  // those of all threads; and nobody reads the stage any more that the next copies overwrite
    load(step + Tile::kStages - 1);
    const AttentionTerm& term = arguments.terms[place.term];
    softmax.add(at, q, stages + step % Tile::kStages * Tile::kStage, place.first, term.keys.tokens, false, factor);
    if (place.ends(arguments, Tile::kKeys)) {
      IPA_UNROLL
      for (int i = 0; i < Tile::kRowTiles; ++i) {
        IPA_UNROLL
        for (int half = 0; half < 2; ++half) {
          const float share = term_weight(term, at.image, at.query + i * 16 + half * 8, given.queries) /
                              lanes_sum<4>(softmax.total[i][half]);
          IPA_UNROLL
          for (int n = 0; n < Tile::kColumnTiles; ++n) {
            sums[i][n][half * 2] += softmax.sums[i][n][half * 2] * share;
            sums[i][n][half * 2 + 1] += softmax.sums[i][n][half * 2 + 1] * share;
          }
        }
      }
      softmax.clear();
    }
    place.advance(arguments, Tile::kKeys);
  }

  float shares[Tile::kRowTiles][2];
  IPA_UNROLL
  for (int i = 0; i < Tile::kRowTiles; ++i) shares[i][0] = shares[i][1] = 1;
  store_rows<Tile, Out>(given, at, sums, shares);
}

}  // namespace ipa::cuda

// Instances, cross_attention_<operand>_<output>_<head size>: X(name, arguments, threads, blocks, bytes of shared
// memory, function).
#define IPA_CROSS_ATTENTION_HEAD(X, type, Operand, head)                                                  \
  X(cross_attention_##type##_##type##_##head, AttentionTermsArguments, CrossAttention##head::kThreads, 2, \
    CrossAttention##head::kSharedBytes, cross_attention<Operand, Operand, CrossAttention##head>)          \
  X(cross_attention_##type##_f32_##head, AttentionTermsArguments, CrossAttention##head::kThreads, 2,      \
    CrossAttention##head::kSharedBytes, cross_attention<Operand, float, CrossAttention##head>)
#define IPA_CROSS_ATTENTION_F16(X)            \
  IPA_CROSS_ATTENTION_HEAD(X, f16, Half, 40)  \
  IPA_CROSS_ATTENTION_HEAD(X, f16, Half, 64)  \
  IPA_CROSS_ATTENTION_HEAD(X, f16, Half, 80)  \
  IPA_CROSS_ATTENTION_HEAD(X, f16, Half, 104) \
  IPA_CROSS_ATTENTION_HEAD(X, f16, Half, 128) \
  IPA_CROSS_ATTENTION_HEAD(X, f16, Half, 160)
#define IPA_CROSS_ATTENTION_BF16(X)              \
  IPA_CROSS_ATTENTION_HEAD(X, bf16, BFloat, 40)  \
  IPA_CROSS_ATTENTION_HEAD(X, bf16, BFloat, 64)  \
  IPA_CROSS_ATTENTION_HEAD(X, bf16, BFloat, 80)  \
  IPA_CROSS_ATTENTION_HEAD(X, bf16, BFloat, 104) \
  IPA_CROSS_ATTENTION_HEAD(X, bf16, BFloat, 128) \
  IPA_CROSS_ATTENTION_HEAD(X, bf16, BFloat, 160)
