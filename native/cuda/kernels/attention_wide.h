#pragma once
// Attention for heads of up to 512 columns (the VAE's): y = softmax(q k^T * factor) v, causal as in attention.h. q, k,
// v of 16 bits, sums and softmax in f32, y f32 or of 16 bits.
//
// Tile: a block has 16 kRowTiles queries of one head and goes over the keys 64 at a time. K comes in pieces of 64 keys
// x 128 columns, each warp scoring 8 keys; the scores meet in shared memory, where a warp weighs 2 kRowTiles rows; V
// comes in pieces of 16 keys x 512 columns, each warp summing 64 columns. The next piece is on its way while one is
// used. Bound: shared memory and L2, each row tile reading all of K and V. Measured fraction of the bound: none yet, no
// card has run it.
#include "cuda/kernels/attention_parts.h"

namespace ipa::cuda {

// Two row tiles take 82 KB of shared memory, one 58 KB (sm_75 has 64).
template <int kOfRowTiles>
struct AttentionWideTile {
  static constexpr int kHead = 512, kRowTiles = kOfRowTiles, kWarps = 8, kThreads = kWarps * 32;
  static constexpr int kQueries = kRowTiles * 16, kColumnWarps = kWarps;
  static constexpr int kColumnTiles = kHead / 8 / kWarps, kColumns = kColumnTiles * 8;  // of a warp
  static constexpr int kKeys = 64;
  static constexpr int kDepth = 128;                                                  // columns in a piece of K
  static constexpr int kValues = 16;                                                  // keys in a piece of V
  static constexpr int kValuePieces = kKeys / kValues;                                // in a tile of keys
  static constexpr int kRow = kHead + 8, kKRow = kDepth + 8, kWeightRow = kKeys + 8;  // elements, odd in 16 bytes
  static constexpr int kPiece = kKeys * kKRow > kValues* kRow ? kKeys* kKRow : kValues* kRow;
  static constexpr int kRowsOfWarp = kQueries / kWarps;
  // Q, two pieces, weights; scores and a factor per row in f32.
  static constexpr int kOperands = kQueries * kRow + 2 * kPiece + kQueries * kWeightRow;
  static constexpr int kSharedBytes = kOperands * 2 + kQueries * (kKeys + 1) * 4;
};

namespace attention_parts {

// scores += Q K^T for the 8 keys of a warp and the columns of one piece; q is at the piece's first column.
template <typename Tile, typename Operand>
IPA_DEVICE void multiply_piece(float (&scores)[Tile::kRowTiles][4], const Operand* q, const Operand* piece, int warp) {
  const int lane = static_cast<int>(lane_index());
  IPA_UNROLL
  for (int depth = 0; depth < Tile::kDepth; depth += 32) {
    uint32_t k_parts[4];
    load_matrix_x4(k_parts, piece + (warp * 8 + lane % 8) * Tile::kKRow + depth + lane / 8 * 8);
    IPA_UNROLL
    for (int i = 0; i < Tile::kRowTiles; ++i) {
      IPA_UNROLL
      for (int half = 0; half < 2; ++half) {
        uint32_t q_parts[4];
        load_matrix_x4(q_parts, q + (i * 16 + lane % 16) * Tile::kRow + depth + half * 16 + lane / 16 * 8);
        multiply_k16(scores[i], q_parts, k_parts + half * 2, Operand{});
      }
    }
  }
}

// One row's scores become weights; a lane has two neighbours. Returns what older sums shrink to.
template <typename Operand>
IPA_DEVICE float weigh_row(const float* scores, Operand* weights, int seen, float factor, float& highest,
                           float& total) {
  const int key = static_cast<int>(lane_index()) * 2;
  const float first = key < seen ? shared_load(scores + key) : minus_infinity();
  const float second = key + 1 < seen ? shared_load(scores + key + 1) : minus_infinity();
  const float most = larger(highest, lanes_maximum<32>(larger(first, second)));
  const float shrink = exp2_fast((highest - most) * factor);
  const float first_weight = exp2_fast((first - most) * factor), second_weight = exp2_fast((second - most) * factor);
  highest = most;
  total = total * shrink + lanes_sum<32>(first_weight + second_weight);
  shared_store(reinterpret_cast<uint32_t*>(weights + key), pack<Operand>(first_weight, second_weight));
  return shrink;
}

// sums += weights V for the columns of a warp and the keys of one piece; weights are at the piece's first key.
template <typename Tile, typename Operand>
IPA_DEVICE void add_piece(float (&sums)[Tile::kRowTiles][Tile::kColumnTiles][4], const Operand* weights,
                          const Operand* piece, int column) {
  const int lane = static_cast<int>(lane_index());
  uint32_t parts[Tile::kRowTiles][4];
  IPA_UNROLL
  for (int i = 0; i < Tile::kRowTiles; ++i)
    load_matrix_x4(parts[i], weights + (i * 16 + lane % 16) * Tile::kWeightRow + lane / 16 * 8);
  IPA_UNROLL
  for (int n = 0; n < Tile::kColumnTiles; n += 2) {
    uint32_t v_parts[4];
    load_transposed_x4(v_parts, piece + lane % 16 * Tile::kRow + column + n * 8 + lane / 16 * 8);
    IPA_UNROLL
    for (int i = 0; i < Tile::kRowTiles; ++i) {
      multiply_k16(sums[i][n], parts[i], v_parts, Operand{});
      multiply_k16(sums[i][n + 1], parts[i], v_parts + 2, Operand{});
    }
  }
}

// A thread's two rows in every row tile, each times its factor.
template <typename Tile>
IPA_DEVICE void shared_factors(float (&to)[Tile::kRowTiles][2], const float* factors) {
  IPA_UNROLL
  for (int i = 0; i < Tile::kRowTiles * 2; ++i)
    to[i / 2][i % 2] = shared_load(factors + i * 8 + static_cast<int>(lane_index()) / 4);
}

}  // namespace attention_parts

// head_size <= 512; grid: tiles of queries, heads, images
template <typename Operand, typename Out, typename Tile>
IPA_DEVICE void attention_wide(const AttentionArguments& arguments) {
  using namespace attention_parts;
  const AttentionQueries& given = arguments.queries;
  WarpPlace<Tile> at;
  const int head_size = given.head_size, lane = static_cast<int>(lane_index()), warp = static_cast<int>(warp_index());
  const HeadKeys<Operand> keys(arguments.keys, at.image, at.head * head_size);
  const bool causal = arguments.causal != 0;
  const float factor = given.factor * kLog2E;

  Operand* const q = shared_memory<Operand>();              // [kQueries][kRow]
  Operand* const pieces = q + Tile::kQueries * Tile::kRow;  // [2][kPiece]
  Operand* const weights = pieces + 2 * Tile::kPiece;       // [kQueries][kWeightRow]
  float* const scores = reinterpret_cast<float*>(weights + Tile::kQueries * Tile::kWeightRow);  // [kQueries][kKeys]
  float* const factors = scores + Tile::kQueries * Tile::kKeys;                                 // [kQueries]
  load_rows<Tile::kQueries, Tile::kHead, Tile::kRow, Tile::kThreads>(
      q, static_cast<const Operand*>(given.q) + at.image * given.q_image + at.head * head_size, given.q_row,
      at.first_query, given.queries, head_size);

  // A tile of keys takes as many steps as K has pieces, then those of V.
  const int key_pieces = (head_size + Tile::kDepth - 1) / Tile::kDepth, of_tile = key_pieces + Tile::kValuePieces;
  const int seen_by_last = keys_seen(at.first_query + Tile::kQueries - 1, keys.tokens, causal);
  const int steps = (seen_by_last + Tile::kKeys - 1) / Tile::kKeys * of_tile;
  const auto load = [&](int step) {
    Operand* const to = pieces + step % 2 * Tile::kPiece;
    const int first = step / of_tile * Tile::kKeys, part = step % of_tile, depth = part * Tile::kDepth;
    if (step >= steps) return;
    if (part < key_pieces)
      load_rows<Tile::kKeys, Tile::kDepth, Tile::kKRow, Tile::kThreads>(to, keys.k + depth, keys.k_row, first,
                                                                        keys.tokens, head_size - depth);
    else
      load_rows<Tile::kValues, Tile::kHead, Tile::kRow, Tile::kThreads>(
          to, keys.v, keys.v_row, first + (part - key_pieces) * Tile::kValues, keys.tokens, head_size);
    copy_commit();
  };
  load(0);

  float sums[Tile::kRowTiles][Tile::kColumnTiles][4] = {}, row_scores[Tile::kRowTiles][4] = {};
  float shrinks[Tile::kRowTiles][2], highest[Tile::kRowsOfWarp], total[Tile::kRowsOfWarp] = {};
  IPA_UNROLL
  for (int i = 0; i < Tile::kRowsOfWarp; ++i) highest[i] = minus_infinity();
  for (int step = 0; step < steps; ++step) {
    copy_wait<0>();   // this step's piece has landed
    block_barrier();  // that of all threads, and the weights; and nobody reads the piece before any more
    load(step + 1);
    const Operand* const piece = pieces + step % 2 * Tile::kPiece;
    const int first = step / of_tile * Tile::kKeys, part = step % of_tile;
    if (part < key_pieces) {
      multiply_piece<Tile>(row_scores, q + part * Tile::kDepth, piece, warp);
      if (part + 1 < key_pieces) continue;
      IPA_UNROLL
      for (int i = 0; i < Tile::kRowTiles * 4; ++i) {
        const int row = i / 2 * 8 + lane / 4, key = warp * 8 + lane % 4 * 2 + i % 2;
        shared_store(scores + row * Tile::kKeys + key, row_scores[i / 4][i % 4]);
        row_scores[i / 4][i % 4] = 0;
      }
      block_barrier();
      IPA_UNROLL
      for (int i = 0; i < Tile::kRowsOfWarp; ++i) {
        const int row = warp * Tile::kRowsOfWarp + i, seen = keys_seen(at.first_query + row, keys.tokens, causal);
        const float shrink = weigh_row(scores + row * Tile::kKeys, weights + row * Tile::kWeightRow, seen - first,
                                       factor, highest[i], total[i]);
        if (lane == 0) shared_store(factors + row, shrink);
      }
    } else {
      if (part == key_pieces) {
        shared_factors<Tile>(shrinks, factors);
        IPA_UNROLL
        for (int i = 0; i < Tile::kRowTiles * Tile::kColumnTiles * 4; ++i)
          sums[i / (Tile::kColumnTiles * 4)][i / 4 % Tile::kColumnTiles][i % 4] *=
              shrinks[i / (Tile::kColumnTiles * 4)][i / 2 % 2];
      }
      add_piece<Tile>(sums, weights + (part - key_pieces) * Tile::kValues, piece, at.column);
    }
  }

  IPA_UNROLL
  for (int i = 0; i < Tile::kRowsOfWarp; ++i)
    if (lane == 0) shared_store(factors + warp * Tile::kRowsOfWarp + i, 1 / total[i]);
  block_barrier();
  shared_factors<Tile>(shrinks, factors);
  store_rows<Tile, Out>(given, at, sums, shrinks);
}

}  // namespace ipa::cuda

// Instances, attention_wide_<operand>_<output>_<queries>: X(name, arguments, threads, blocks, bytes of shared memory,
// function).
#define IPA_ATTENTION_WIDE_ROWS(X, type, out, Operand, Out, rows)                                          \
  X(attention_wide_##type##_##out##_##rows, AttentionArguments, AttentionWideTile<rows / 16>::kThreads, 1, \
    AttentionWideTile<rows / 16>::kSharedBytes, attention_wide<Operand, Out, AttentionWideTile<rows / 16>>)
#define IPA_ATTENTION_WIDE_F16(X)                       \
  IPA_ATTENTION_WIDE_ROWS(X, f16, f16, Half, Half, 16)  \
  IPA_ATTENTION_WIDE_ROWS(X, f16, f32, Half, float, 16) \
  IPA_ATTENTION_WIDE_ROWS(X, f16, f16, Half, Half, 32)  \
  IPA_ATTENTION_WIDE_ROWS(X, f16, f32, Half, float, 32)
#define IPA_ATTENTION_WIDE_BF16(X)                           \
  IPA_ATTENTION_WIDE_ROWS(X, bf16, bf16, BFloat, BFloat, 32) \
  IPA_ATTENTION_WIDE_ROWS(X, bf16, f32, BFloat, float, 32)
