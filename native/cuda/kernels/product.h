#pragma once
// K1, first form: C = A W^T + bias. A [M][K] and W [N][K] of 16 bits, sums in f32, C [M][N] f32 or of 16 bits.
//
// Tile: a block makes kM x kN of C, a warp kWarpM x kWarpN of that, in steps of 32 along K. Three stages of both
// operands are on their way through shared memory (cp.async, 16 bytes a copy); chunks of 16 bytes are swizzled so that
// the eight rows of an ldmatrix lie in eight different groups of banks. Bound: maths from M, N of some hundreds on,
// else memory (A and W are read N / kN and M / kM times, mostly from L2). Measured fraction of the bound: none yet, no
// card has run it.
#include "cuda/device/device.h"

namespace ipa::cuda {

struct ProductArguments {
  const void* a;      // [m][k], at a multiple of 16 bytes
  const void* w;      // [n][k], at a multiple of 16 bytes
  const float* bias;  // [n] or null
  void* c;            // [m][n], at a multiple of 8 bytes
  int32_t m, n, k;    // k is a multiple of 8, the others are any
};

template <int kBlockM, int kBlockN, int kOfWarpM, int kOfWarpN>
struct ProductTile {
  static constexpr int kM = kBlockM, kN = kBlockN, kWarpM = kOfWarpM, kWarpN = kOfWarpN;
  static constexpr int kK = 32;
  static constexpr int kStages = 3;
  static constexpr int kThreads = kM / kWarpM * (kN / kWarpN) * 32;
  static constexpr int kSharedBytes = kStages * (kM + kN) * kK * 2;
  static_assert(kM % kWarpM == 0 && kN % kWarpN == 0 && kWarpM % 16 == 0 && kWarpN % 16 == 0, "whole fragments");
};
using Tile128x128 = ProductTile<128, 128, 64, 64>;
using Tile128x64 = ProductTile<128, 64, 64, 32>;
using Tile64x64 = ProductTile<64, 64, 32, 32>;

namespace product_parts {

constexpr int kChunk = 8;             // numbers of one 16-byte copy
constexpr int kChunks = 32 / kChunk;  // of a row in a stage

// Where chunk `chunk` of row `row` lies in a stage, in numbers. Two rows fill all banks once, so the row's upper bits
// choose.
IPA_DEVICE int place(int row, int chunk) { return row * 32 + (chunk ^ (row >> 1 & 3)) * kChunk; }

// Starts the copies of rows first_row ... of an operand [rows][k], columns first_k ... + 31; zeros outside.
template <int kRows, int kThreads, typename Operand>
IPA_DEVICE void load_stage(Operand* stage, const Operand* from, int first_row, int rows, int first_k, int k) {
  for (int i = static_cast<int>(thread_index()); i < kRows * kChunks; i += kThreads) {
    const int row = i / kChunks, chunk = i % kChunks;
    const bool inside = first_row + row < rows && first_k + chunk * kChunk < k;
    const size_t offset = inside ? static_cast<size_t>(first_row + row) * k + first_k + chunk * kChunk : 0;
    copy_async<16>(stage + place(row, chunk), from + offset, inside ? 16 : 0);
  }
}

// Two neighbours of C, of which one or both may lie outside.
template <typename Out>
IPA_DEVICE void store_sums(const ProductArguments& arguments, int row, int column, float first, float second) {
  if (row >= arguments.m || column >= arguments.n) return;
  const bool both = column + 1 < arguments.n;
  if (arguments.bias) {
    first += arguments.bias[column];
    if (both) second += arguments.bias[column + 1];
  }
  Out* const to = static_cast<Out*>(arguments.c) + static_cast<size_t>(row) * arguments.n + column;
  if (arguments.n % 2 == 0) {
    store_pair(to, first, second);
  } else {
    convert(first, to[0]);
    if (both) convert(second, to[1]);
  }
}

}  // namespace product_parts

template <typename Operand, typename Out, typename Tile>
IPA_DEVICE void product(const ProductArguments& arguments) {
  using product_parts::load_stage;
  using product_parts::place;
  using product_parts::store_sums;
  const int m = arguments.m, n = arguments.n, k = arguments.k;
  const Operand* const a = static_cast<const Operand*>(arguments.a);
  const Operand* const w = static_cast<const Operand*>(arguments.w);
  Operand* const a_stages = shared_memory<Operand>();                        // [kStages][kM][kK]
  Operand* const w_stages = a_stages + Tile::kStages * Tile::kM * Tile::kK;  // [kStages][kN][kK]

  const int lane = static_cast<int>(lane_index()), warp = static_cast<int>(warp_index());
  constexpr int kWarpsN = Tile::kN / Tile::kWarpN;
  const int warp_m = warp / kWarpsN * Tile::kWarpM, warp_n = warp % kWarpsN * Tile::kWarpN;
  const int block_m = static_cast<int>(block_index().y) * Tile::kM;
  const int block_n = static_cast<int>(block_index().x) * Tile::kN;

  const auto load = [&](int step) {
    const int stage = step % Tile::kStages;
    load_stage<Tile::kM, Tile::kThreads>(a_stages + stage * Tile::kM * Tile::kK, a, block_m, m, step * Tile::kK, k);
    load_stage<Tile::kN, Tile::kThreads>(w_stages + stage * Tile::kN * Tile::kK, w, block_n, n, step * Tile::kK, k);
  };

  constexpr int kRowTiles = Tile::kWarpM / 16, kColumnTiles = Tile::kWarpN / 8;
  float sums[kRowTiles][kColumnTiles][4] = {};
  const int steps = (k + Tile::kK - 1) / Tile::kK;
  for (int step = 0; step < Tile::kStages - 1; ++step) {
    if (step < steps) load(step);
    copy_commit();  // empty groups too, so that the count of the wait holds to the end
  }
  for (int step = 0; step < steps; ++step) {
    copy_wait<Tile::kStages - 2>();  // this step's copies have landed
    block_barrier();  // those of all threads; and nobody reads the stage any more that the next copies overwrite
    const int ahead = step + Tile::kStages - 1;
    if (ahead < steps) load(ahead);
    copy_commit();

    const Operand* const a_stage = a_stages + step % Tile::kStages * Tile::kM * Tile::kK;
    const Operand* const w_stage = w_stages + step % Tile::kStages * Tile::kN * Tile::kK;
    IPA_UNROLL
    for (int half = 0; half < Tile::kK / 16; ++half) {
      uint32_t a_parts[kRowTiles][4], w_parts[kColumnTiles / 2][4];
      IPA_UNROLL
      for (int i = 0; i < kRowTiles; ++i) {
        const int row = warp_m + i * 16 + lane % 16;
        load_matrix_x4(a_parts[i], a_stage + place(row, half * 2 + lane / 16));
      }
      IPA_UNROLL
      for (int j = 0; j < kColumnTiles / 2; ++j) {
        const int row = warp_n + j * 16 + lane % 8 + lane / 16 * 8;
        load_matrix_x4(w_parts[j], w_stage + place(row, half * 2 + lane / 8 % 2));
      }
      IPA_UNROLL
      for (int i = 0; i < kRowTiles; ++i) {
        IPA_UNROLL
        for (int j = 0; j < kColumnTiles; ++j)
          multiply_k16(sums[i][j], a_parts[i], &w_parts[j / 2][j % 2 * 2], Operand{});
      }
    }
  }

  IPA_UNROLL
  for (int i = 0; i < kRowTiles; ++i) {
    IPA_UNROLL
    for (int j = 0; j < kColumnTiles; ++j) {
      const int row = block_m + warp_m + i * 16 + lane / 4;
      const int column = block_n + warp_n + j * 8 + lane % 4 * 2;
      store_sums<Out>(arguments, row, column, sums[i][j][0], sums[i][j][1]);
      store_sums<Out>(arguments, row + 8, column, sums[i][j][2], sums[i][j][3]);
    }
  }
}

}  // namespace ipa::cuda
