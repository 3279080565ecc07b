#pragma once
// What the attention kernels share: their arguments, tiles, and the steps of an online softmax over tiles of keys.
//
// A warp has 16 kRowTiles queries and all columns of one head, or its share of them: kColumnWarps warps work on the
// same queries, each with all the scores, where the sums of one would not fit the registers. Per tile of keys: scores =
// Q K^T, the new maximum of each row, weights = 2^(scores - maximum) with the factor folded into the exponent, what was
// summed before shrinks to the new maximum, and sums += weights V. Scores become weights in the registers where the
// next mma wants them. Rows in shared memory lie an odd number of 16-byte chunks apart, so that the eight rows of an
// ldmatrix lie in eight groups of banks.
#include "cuda/device/device.h"

namespace ipa::cuda {

// Queries and result; heads are contiguous slices of head_size columns. Rows may be views of a wider buffer.
struct AttentionQueries {
  const void* q;    // [images][queries][heads * head_size]
  void* out;        // the same, dense
  int64_t q_image;  // elements from an image to the next
  int32_t q_row;    // elements from a row to the next
  int32_t queries, heads, head_size;
  float factor;  // of q k^T, above 0
};

// For copies of 16 bytes pointers are multiples of that, steps and head_size of 8 elements.
struct AttentionKeys {
  const void* k;             // [images or 1][tokens][heads * head_size]
  const void* v;             // the same
  int64_t k_image, v_image;  // elements from an image to the next; 0: the same for all
  int32_t k_row, v_row;      // elements from a row to the next
  int32_t tokens;            // 1 or more
};

struct AttentionTerm {
  AttentionKeys keys;
  const float* scale;  // one number; null: 1. A 0 skips the term: nothing of it is read
  const float* mask;   // [images or 1][queries] or null
  int64_t mask_image;  // elements from an image to the next; 0: the same for all
};

constexpr int kMostAttentionTerms = 8;

struct AttentionArguments {  // one term
  AttentionQueries queries;
  AttentionKeys keys;
  int32_t causal;  // query i sees keys <= i
};

struct AttentionTermsArguments {
  AttentionQueries queries;
  AttentionTerm terms[kMostAttentionTerms];
  int32_t term_count;
  int32_t causal;
};

// For heads of at most kHead columns, a multiple of 8.
template <int kHeadSize, int kOfRowTiles, int kWarpCount, int kKeyCount, int kStageCount, int kOfColumnWarps = 1>
struct AttentionTile {
  static constexpr int kHead = kHeadSize, kRowTiles = kOfRowTiles, kWarps = kWarpCount, kKeys = kKeyCount;
  static constexpr int kStages = kStageCount, kColumnWarps = kOfColumnWarps;
  static constexpr int kThreads = kWarps * 32;
  static constexpr int kQueries = kWarps / kColumnWarps * kRowTiles * 16;
  static constexpr int kColumnTiles = kHead / 8 / kColumnWarps;  // of 8 columns, of a warp
  static constexpr int kDepth = (kHead + 15) / 16 * 16;          // of Q K^T, zeros behind kHead
  static constexpr int kKRow = (kDepth / 8 | 1) * 8;             // elements from a row of Q or K to the next
  static constexpr int kVRow = (kHead / 8 | 1) * 8;              // of V
  static constexpr int kStage = kKeys * (kKRow + kVRow);         // elements: K, then V
  static constexpr int kSharedBytes = (kQueries * kKRow + kStages * kStage) * 2;
  static_assert(kHead % (8 * kColumnWarps) == 0 && kWarps % kColumnWarps == 0 && kKeys % 32 == 0 && kStages >= 2,
                "whole fragments");
};

namespace attention_parts {

constexpr float kLog2E = 1.44269504f;

IPA_DEVICE float minus_infinity() { return float_of(0xff800000u); }

// Over neighbouring lanes, kLanes of them, in each; always in the same order.
template <uint32_t kLanes>
IPA_DEVICE float lanes_sum(float value) {
  IPA_UNROLL
  for (uint32_t mask = kLanes / 2; mask > 0; mask /= 2) value += shuffle_xor(value, mask);
  return value;
}
template <uint32_t kLanes>
IPA_DEVICE float lanes_maximum(float value) {
  IPA_UNROLL
  for (uint32_t mask = kLanes / 2; mask > 0; mask /= 2) value = larger(value, shuffle_xor(value, mask));
  return value;
}

// How many keys a query sees.
IPA_DEVICE int keys_seen(int query, int tokens, bool causal) {
  return causal && query + 1 < tokens ? query + 1 : tokens;
}

IPA_DEVICE bool skipped(const AttentionTerm& term) { return term.scale && *term.scale == 0; }

// What a row of a term is multiplied by, but for its own total.
IPA_DEVICE float term_weight(const AttentionTerm& term, int image, int query, int queries) {
  const float scale = term.scale ? *term.scale : 1.0f;
  return term.mask && query < queries ? scale * term.mask[image * term.mask_image + query] : scale;
}

// Starts the copies of rows first ... of a head's [rows][columns], zeros outside.
template <int kRows, int kColumns, int kTo, int kThreads, typename Operand>
IPA_DEVICE void load_rows(Operand* to, const Operand* from, int row_step, int first, int rows, int columns) {
  constexpr int kChunks = kColumns / 8;  // of 16 bytes
  for (int i = static_cast<int>(thread_index()); i < kRows * kChunks; i += kThreads) {
    const int row = i / kChunks, column = i % kChunks * 8;
    const bool inside = first + row < rows && column < columns;
    const size_t offset = inside ? static_cast<size_t>(first + row) * row_step + column : 0;
    copy_async<16>(to + row * kTo + column, from + offset, inside ? 16 : 0);
  }
}

// Where a warp is.
template <typename Tile>
struct WarpPlace {
  int image, head;
  int first_query;  // of the block
  int row;          // the warp's first in the block
  int query;        // of this thread's row in the first row tile
  int column;       // the warp's first of the head

  IPA_DEVICE WarpPlace() {
    const Index3 block = block_index();
    const int warp = static_cast<int>(warp_index());
    image = static_cast<int>(block.z), head = static_cast<int>(block.y);
    first_query = static_cast<int>(block.x) * Tile::kQueries;
    row = warp / Tile::kColumnWarps * Tile::kRowTiles * 16;
    query = first_query + row + static_cast<int>(lane_index()) / 4;
    column = warp % Tile::kColumnWarps * Tile::kColumnTiles * 8;
  }
};

template <typename Tile, typename Operand>
IPA_DEVICE void load_queries(Operand* to, const AttentionQueries& queries, const WarpPlace<Tile>& at) {
  const Operand* const q = static_cast<const Operand*>(queries.q) + at.image * queries.q_image;
  load_rows<Tile::kQueries, Tile::kDepth, Tile::kKRow, Tile::kThreads>(
      to, q + at.head * queries.head_size, queries.q_row, at.first_query, queries.queries, queries.head_size);
}

// The keys and values of one image and head.
template <typename Operand>
struct HeadKeys {
  const Operand* k;
  const Operand* v;
  int k_row, v_row, tokens;

  IPA_DEVICE HeadKeys(const AttentionKeys& keys, int image, int column)
      : k(static_cast<const Operand*>(keys.k) + image * keys.k_image + column),
        v(static_cast<const Operand*>(keys.v) + image * keys.v_image + column),
        k_row(keys.k_row),
        v_row(keys.v_row),
        tokens(keys.tokens) {}
};

template <typename Tile, typename Operand>
IPA_DEVICE void load_keys(Operand* stage, const HeadKeys<Operand>& keys, int first, int head_size) {
  load_rows<Tile::kKeys, Tile::kDepth, Tile::kKRow, Tile::kThreads>(stage, keys.k, keys.k_row, first, keys.tokens,
                                                                    head_size);
  load_rows<Tile::kKeys, Tile::kHead, Tile::kVRow, Tile::kThreads>(stage + Tile::kKeys * Tile::kKRow, keys.v,
                                                                   keys.v_row, first, keys.tokens, head_size);
}

// The online softmax of a warp's rows. Of a tile of 16 x 8 a thread has two neighbours in row lane / 4 and two in the
// row 8 below: [0], [1] and [2], [3].
template <typename Tile>
struct Softmax {
  static constexpr int kColumnTiles = Tile::kColumnTiles, kKeyTiles = Tile::kKeys / 8;
  float sums[Tile::kRowTiles][kColumnTiles][4];  // of weights * V
  float highest[Tile::kRowTiles][2];             // of the scores so far
  float total[Tile::kRowTiles][2];               // of the weights, this thread's part

  IPA_DEVICE void clear() {
    IPA_UNROLL
    for (int i = 0; i < Tile::kRowTiles; ++i) {
      highest[i][0] = highest[i][1] = minus_infinity();
      total[i][0] = total[i][1] = 0;
      IPA_UNROLL
      for (int n = 0; n < kColumnTiles; ++n) sums[i][n][0] = sums[i][n][1] = sums[i][n][2] = sums[i][n][3] = 0;
    }
  }

  // One tile of keys, which begins with key `first` of `tokens`; q is the block's. `factor` has log2(e) in it.
  template <typename Operand>
  IPA_DEVICE void add(const WarpPlace<Tile>& at, const Operand* q, const Operand* stage, int first, int tokens,
                      bool causal, float factor) {
    float scores[Tile::kRowTiles][kKeyTiles][4] = {};
    multiply_keys(scores, q + at.row * Tile::kKRow, stage);
    IPA_UNROLL
    for (int i = 0; i < Tile::kRowTiles; ++i) {
      IPA_UNROLL
      for (int half = 0; half < 2; ++half) {
        const int seen = keys_seen(at.query + i * 16 + half * 8, tokens, causal) - first;
        if (seen < Tile::kKeys) hide(scores[i], half, seen);
        weigh(scores[i], i, half, factor);
      }
    }
    multiply_values(scores, stage + Tile::kKeys * Tile::kKRow + at.column);
  }

  // scores = Q K^T; q is the warp's first row.
  template <typename Operand>
  IPA_DEVICE static void multiply_keys(float (&scores)[Tile::kRowTiles][kKeyTiles][4], const Operand* q,
                                       const Operand* k) {
    const int lane = static_cast<int>(lane_index());
    IPA_UNROLL
    for (int depth = 0; depth < Tile::kDepth; depth += 16) {
      uint32_t q_parts[Tile::kRowTiles][4];
      IPA_UNROLL
      for (int i = 0; i < Tile::kRowTiles; ++i)
        load_matrix_x4(q_parts[i], q + (i * 16 + lane % 16) * Tile::kKRow + depth + lane / 16 * 8);
      IPA_UNROLL
      for (int j = 0; j < kKeyTiles; j += 2) {
        uint32_t k_parts[4];
        const int key = j * 8 + lane % 8 + lane / 16 * 8;
        load_matrix_x4(k_parts, k + key * Tile::kKRow + depth + lane / 8 % 2 * 8);
        IPA_UNROLL
        for (int i = 0; i < Tile::kRowTiles; ++i) {
          multiply_k16(scores[i][j], q_parts[i], k_parts, Operand{});
          multiply_k16(scores[i][j + 1], q_parts[i], k_parts + 2, Operand{});
        }
      }
    }
  }

  // Keys from `seen` on, counted in the tile, get no weight.
  IPA_DEVICE static void hide(float (&scores)[kKeyTiles][4], int half, int seen) {
    const int column = static_cast<int>(lane_index()) % 4 * 2;
    IPA_UNROLL
    for (int j = 0; j < kKeyTiles; ++j) {
      if (j * 8 + column >= seen) scores[j][half * 2] = minus_infinity();
      if (j * 8 + column + 1 >= seen) scores[j][half * 2 + 1] = minus_infinity();
    }
  }

  // Scores of one row become weights. The first tile of a term shows every row at least one key, so that the maximum is
  // a number from there on.
  IPA_DEVICE void weigh(float (&scores)[kKeyTiles][4], int i, int half, float factor) {
    float most = highest[i][half];
    IPA_UNROLL
    for (int j = 0; j < kKeyTiles; ++j) most = larger(most, larger(scores[j][half * 2], scores[j][half * 2 + 1]));
    most = lanes_maximum<4>(most);
    const float shrink = exp2_fast((highest[i][half] - most) * factor), zero = most * factor;
    highest[i][half] = most;
    float sum = total[i][half] * shrink;
    IPA_UNROLL
    for (int j = 0; j < kKeyTiles; ++j) {
      IPA_UNROLL
      for (int e = half * 2; e < half * 2 + 2; ++e) sum += scores[j][e] = exp2_fast(scores[j][e] * factor - zero);
    }
    total[i][half] = sum;
    IPA_UNROLL
    for (int n = 0; n < kColumnTiles; ++n) sums[i][n][half * 2] *= shrink, sums[i][n][half * 2 + 1] *= shrink;
  }

  // sums += weights V
  template <typename Operand>
  IPA_DEVICE void multiply_values(const float (&weights)[Tile::kRowTiles][kKeyTiles][4], const Operand* v) {
    const int lane = static_cast<int>(lane_index());
    IPA_UNROLL
    for (int j = 0; j < kKeyTiles; j += 4) {  // 32 keys
      uint32_t parts[Tile::kRowTiles][2][4];
      IPA_UNROLL
      for (int i = 0; i < Tile::kRowTiles; ++i) {
        IPA_UNROLL
        for (int e = 0; e < 8; ++e) {
          const float* const pair = &weights[i][j + e / 2][e % 2 * 2];
          parts[i][e / 4][e % 4] = pack<Operand>(pair[0], pair[1]);
        }
      }
      IPA_UNROLL
      for (int n = 0; n < kColumnTiles; ++n) {
        uint32_t v_parts[4];
        load_transposed_x4(v_parts, v + (j * 8 + lane) * Tile::kVRow + n * 8);
        IPA_UNROLL
        for (int half = 0; half < 2; ++half) {
          IPA_UNROLL
          for (int i = 0; i < Tile::kRowTiles; ++i)
            multiply_k16(sums[i][n], parts[i][half], v_parts + half * 2, Operand{});
        }
      }
    }
  }
};

// Stores a warp's columns of its rows, each row multiplied by its factor.
template <typename Tile, typename Out>
IPA_DEVICE void store_rows(const AttentionQueries& queries, const WarpPlace<Tile>& at,
                           const float (&sums)[Tile::kRowTiles][Tile::kColumnTiles][4],
                           const float (&factors)[Tile::kRowTiles][2]) {
  const int width = queries.heads * queries.head_size, column = at.column + static_cast<int>(lane_index()) % 4 * 2;
  IPA_UNROLL
  for (int i = 0; i < Tile::kRowTiles; ++i) {
    IPA_UNROLL
    for (int half = 0; half < 2; ++half) {
      const int row = at.query + i * 16 + half * 8;
      if (row >= queries.queries) continue;
      Out* const to = static_cast<Out*>(queries.out) + (static_cast<size_t>(at.image) * queries.queries + row) * width +
                      at.head * queries.head_size;
      const float factor = factors[i][half];
      IPA_UNROLL
      for (int n = 0; n < Tile::kColumnTiles; ++n)
        if (column + n * 8 < queries.head_size)
          store_pair(to + column + n * 8, sums[i][n][half * 2] * factor, sums[i][n][half * 2 + 1] * factor);
    }
  }
}

}  // namespace attention_parts

}  // namespace ipa::cuda
