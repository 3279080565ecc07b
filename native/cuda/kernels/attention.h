#pragma once
// K3, K7: y = softmax(q k^T * factor) v for every image and head; causal: query i sees keys <= i. q, k, v of 16 bits,
// sums and softmax in f32, y f32 or of 16 bits.
//
// Tile: a block has kQueries queries of one head and goes over the keys kKeys at a time, K and V of the next kStages -
// 1 tiles on their way (cp.async, 16 bytes a copy). Causal blocks end with the last key they see. Shared memory is
// below 64 KB for every tile, so that sm_75 has them all. Bound: maths from some hundreds of keys on (4 queries keys
// head_size FLOP, beside them one exponential per query and key). Measured fraction of the bound: none yet, no card has
// run it.
#include "cuda/kernels/attention_parts.h"

namespace ipa::cuda {

// From 80 on the sums take the registers: fewer keys at a time, from 104 on fewer rows for a warp.
using Attention40 = AttentionTile<40, 2, 4, 64, 2>;
using Attention64 = AttentionTile<64, 2, 4, 64, 2>;
using Attention80 = AttentionTile<80, 2, 4, 32, 2>;
using Attention104 = AttentionTile<104, 1, 4, 32, 2>;
using Attention128 = AttentionTile<128, 1, 4, 32, 2>;
using Attention160 = AttentionTile<160, 1, 4, 32, 2>;

// head_size <= Tile::kHead; grid: tiles of queries, heads, images
template <typename Operand, typename Out, typename Tile>
IPA_DEVICE void attention(const AttentionArguments& arguments) {
  using namespace attention_parts;
  const AttentionQueries& given = arguments.queries;
  const WarpPlace<Tile> at;
  const HeadKeys<Operand> keys(arguments.keys, at.image, at.head * given.head_size);
  const bool causal = arguments.causal != 0;
  const float factor = given.factor * kLog2E;

  Operand* const q = shared_memory<Operand>();               // [kQueries][kKRow]
  Operand* const stages = q + Tile::kQueries * Tile::kKRow;  // [kStages][kStage]
  load_queries(q, given, at);

  const int steps =
      (keys_seen(at.first_query + Tile::kQueries - 1, keys.tokens, causal) + Tile::kKeys - 1) / Tile::kKeys;
  const auto load = [&](int step) {
    if (step < steps)
      load_keys<Tile>(stages + step % Tile::kStages * Tile::kStage, keys, step * Tile::kKeys, given.head_size);
    copy_commit();  // empty groups too, so that the count of the wait holds to the end
  };
  for (int step = 0; step < Tile::kStages - 1; ++step) load(step);

  Softmax<Tile> softmax;
  softmax.clear();
  for (int step = 0; step < steps; ++step) {
    copy_wait<Tile::kStages - 2>();  // this step's copies have landed
    block_barrier();  // those of all threads; and nobody reads the stage any more that the next copies overwrite
    load(step + Tile::kStages - 1);
    softmax.add(at, q, stages + step % Tile::kStages * Tile::kStage, step * Tile::kKeys, keys.tokens, causal, factor);
  }

  float shares[Tile::kRowTiles][2];
  IPA_UNROLL
  for (int i = 0; i < Tile::kRowTiles; ++i) {
    IPA_UNROLL
    for (int half = 0; half < 2; ++half) shares[i][half] = 1 / lanes_sum<4>(softmax.total[i][half]);
  }
  store_rows<Tile, Out>(given, at, softmax.sums, shares);
}

}  // namespace ipa::cuda

// Instances, attention_<operand>_<output>_<head size>: X(name, arguments, threads, blocks, bytes of shared memory,
// function).
#define IPA_ATTENTION_HEAD(X, type, Operand, head)                                                                  \
  X(attention_##type##_##type##_##head, AttentionArguments, Attention##head::kThreads, 2,                           \
    Attention##head::kSharedBytes, attention<Operand, Operand, Attention##head>)                                    \
  X(attention_##type##_f32_##head, AttentionArguments, Attention##head::kThreads, 2, Attention##head::kSharedBytes, \
    attention<Operand, float, Attention##head>)
#define IPA_ATTENTION_F16(X)            \
  IPA_ATTENTION_HEAD(X, f16, Half, 40)  \
  IPA_ATTENTION_HEAD(X, f16, Half, 64)  \
  IPA_ATTENTION_HEAD(X, f16, Half, 80)  \
  IPA_ATTENTION_HEAD(X, f16, Half, 104) \
  IPA_ATTENTION_HEAD(X, f16, Half, 128) \
  IPA_ATTENTION_HEAD(X, f16, Half, 160)
#define IPA_ATTENTION_BF16(X)              \
  IPA_ATTENTION_HEAD(X, bf16, BFloat, 40)  \
  IPA_ATTENTION_HEAD(X, bf16, BFloat, 64)  \
  IPA_ATTENTION_HEAD(X, bf16, BFloat, 80)  \
  IPA_ATTENTION_HEAD(X, bf16, BFloat, 104) \
  IPA_ATTENTION_HEAD(X, bf16, BFloat, 128) \
  IPA_ATTENTION_HEAD(X, bf16, BFloat, 160)
