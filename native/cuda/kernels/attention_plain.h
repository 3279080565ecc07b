#pragma once
// Attention of every other kind: y = sum over terms of scale * mask * softmax(q k^T * factor) v with heads of any size,
// f32 or 16-bit q, k, v at any alignment, any number of terms, causal or not. All in f32, y f32 or of 16 bits.
//
// Tile: a warp per query and head, kAttentionPlainWarps queries a block. A lane scores one key of 32, then has one
// column of 32 in each of kAttentionPlainColumns / 32 sums; heads that are wider take another pass over the keys.
// Bound: latency of loads that nothing overlaps; meant for networks whose sizes fill no tile. Measured fraction of the
// bound: none yet, no card has run it.
#include "cuda/kernels/attention_parts.h"

namespace ipa::cuda {

constexpr int kAttentionPlainWarps = 4;
constexpr int kAttentionPlainThreads = kAttentionPlainWarps * 32;
constexpr int kAttentionPlainColumns = 128;

namespace attention_parts {

constexpr int kPlainSums = kAttentionPlainColumns / 32;

// Adds one term to the columns from `column` on, of which a lane has every 32nd; q is the head's.
template <typename In>
IPA_DEVICE void add_term(float (&sums)[kPlainSums], const In* q, const HeadKeys<In>& keys, int column, int head_size,
                         int seen, float factor, float weight) {
  const int lane = static_cast<int>(lane_index());
  float of_term[kPlainSums] = {}, highest = minus_infinity(), total = 0;
  for (int first = 0; first < seen; first += 32) {
    float score = minus_infinity();
    if (first + lane < seen) {
      const In* const k = keys.k + static_cast<size_t>(first + lane) * keys.k_row;
      float dot = 0;
      for (int i = 0; i < head_size; ++i) dot += to_float(q[i]) * to_float(k[i]);
      score = dot * factor;
    }
    const float most = larger(highest, lanes_maximum<32>(score));
    const float shrink = exp2_fast(highest - most), mine = exp2_fast(score - most);
    highest = most, total = total * shrink + mine;
    IPA_UNROLL
    for (int i = 0; i < kPlainSums; ++i) of_term[i] *= shrink;
    for (int j = 0; j < 32 && first + j < seen; ++j) {
      const float share = shuffle(mine, static_cast<uint32_t>(j));
      const In* const v = keys.v + static_cast<size_t>(first + j) * keys.v_row;
      IPA_UNROLL
      for (int i = 0; i < kPlainSums; ++i) {
        const int c = column + i * 32 + lane;
        if (c < head_size) of_term[i] += share * to_float(v[c]);
      }
    }
  }
  if (seen > 0) weight /= lanes_sum<32>(total);
  IPA_UNROLL
  for (int i = 0; i < kPlainSums; ++i) sums[i] += of_term[i] * weight;
}

}  // namespace attention_parts

// grid: queries / kAttentionPlainWarps, heads, images
template <typename In, typename Out>
IPA_DEVICE void attention_plain(const AttentionTermsArguments& arguments) {
  using namespace attention_parts;
  const AttentionQueries& given = arguments.queries;
  const Index3 block = block_index();
  const int image = static_cast<int>(block.z), head_size = given.head_size;
  const int first_column = static_cast<int>(block.y) * head_size, lane = static_cast<int>(lane_index());
  const int query = static_cast<int>(block.x) * kAttentionPlainWarps + static_cast<int>(warp_index());
  if (query >= given.queries) return;  // the whole warp
  const In* const q =
      static_cast<const In*>(given.q) + image * given.q_image + static_cast<size_t>(query) * given.q_row + first_column;
  Out* const to = static_cast<Out*>(given.out) +
                  (static_cast<size_t>(image) * given.queries + query) * given.heads * head_size + first_column;

  for (int column = 0; column < head_size; column += kAttentionPlainColumns) {
    float sums[kPlainSums] = {};
    for (int t = 0; t < arguments.term_count; ++t) {
      const AttentionTerm& term = arguments.terms[t];
      if (skipped(term)) continue;
      const HeadKeys<In> keys(term.keys, image, first_column);
      add_term(sums, q, keys, column, head_size, keys_seen(query, keys.tokens, arguments.causal != 0),
               given.factor * kLog2E, term_weight(term, image, query, given.queries));
    }
    IPA_UNROLL
    for (int i = 0; i < kPlainSums; ++i) {
      const int c = column + i * 32 + lane;
      if (c < head_size) convert(sums[i], to[c]);
    }
  }
}

}  // namespace ipa::cuda

// Instances, attention_plain_<input>_<output>: X(name, arguments, threads, blocks, bytes of shared memory, function).
#define IPA_ATTENTION_PLAIN_TYPES(X, in, out, In, Out) \
  X(attention_plain_##in##_##out, AttentionTermsArguments, kAttentionPlainThreads, 1, 0, attention_plain<In, Out>)
#define IPA_ATTENTION_PLAIN(X)                           \
  IPA_ATTENTION_PLAIN_TYPES(X, f32, f32, float, float)   \
  IPA_ATTENTION_PLAIN_TYPES(X, f32, f16, float, Half)    \
  IPA_ATTENTION_PLAIN_TYPES(X, f32, bf16, float, BFloat) \
  IPA_ATTENTION_PLAIN_TYPES(X, f16, f32, Half, float)    \
  IPA_ATTENTION_PLAIN_TYPES(X, f16, f16, Half, Half)     \
  IPA_ATTENTION_PLAIN_TYPES(X, bf16, f32, BFloat, float) \
  IPA_ATTENTION_PLAIN_TYPES(X, bf16, bf16, BFloat, BFloat)
