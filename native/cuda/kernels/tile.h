#pragma once
// What products and convolutions share: C = A W^T tile by tile, in slices of K, A [m][k] from any source.
//
// Tile: a block makes kM x kN of C, a warp kWarpM x kWarpN of that, in steps of 32 along K. Three stages of both
// operands are on their way through shared memory (cp.async, 16 bytes a copy); chunks of 16 bytes are swizzled so that
// the eight rows of an ldmatrix lie in eight different groups of banks. gridDim.z blocks may share a tile, each with a
// slice of K (split-K): they leave their sums in global memory, and the block that arrives last adds them up.
#include "cuda/device/device.h"
#include "cuda/kernels/result.h"

namespace ipa::cuda {

template <int kBlockM, int kBlockN, int kOfWarpM, int kOfWarpN>
struct ProductTile {
  static constexpr int kM = kBlockM, kN = kBlockN, kWarpM = kOfWarpM, kWarpN = kOfWarpN;
  static constexpr int kK = 32;
  static constexpr int kStages = 3;
  static constexpr int kWarps = kM / kWarpM * (kN / kWarpN), kThreads = kWarps * 32;
  static constexpr int kRowTiles = kWarpM / 16, kColumnTiles = kWarpN / 8;  // of a warp, in fragments
  static constexpr int kSharedBytes = kStages * (kM + kN) * kK * 2;
  static constexpr int kStripBytes = 16 * result_parts::kStripStride<kWarpN> * 4;  // of a warp's result on its way out
  static constexpr int kMomentBytes = kWarpN / 2 * 8;                              // of a warp, behind all strips
  static_assert(kM % kWarpM == 0 && kN % kWarpN == 0 && kWarpM % 16 == 0 && kWarpN % 16 == 0, "whole fragments");
  static_assert(kWarps * (kStripBytes + kMomentBytes) + 4 <= kSharedBytes,
                "the strips, moments and a flag take the place of the stages");
};
using Tile256x128 = ProductTile<256, 128, 64, 64>;  // 72 KiB of shared memory: not on sm_75
using Tile128x160 = ProductTile<128, 160, 64, 80>;  // 160 divides every channel count of the UNets
using Tile128x128 = ProductTile<128, 128, 64, 64>;
using Tile128x64 = ProductTile<128, 64, 64, 32>;
using Tile64x64 = ProductTile<64, 64, 32, 32>;

// Of a launch with gridDim.z slices of K; nulls with one slice.
struct SplitArguments {
  float* sums;         // [slices][m][n], n even, at a multiple of 8 bytes; needs no value before and has none after
  uint32_t* arrivals;  // [tiles], zeros before and after
};

namespace product_parts {

constexpr int kChunk = 8;             // numbers of one 16-byte copy
constexpr int kChunks = 32 / kChunk;  // of a row in a stage

template <typename Tile>
using Sums = float[Tile::kRowTiles][Tile::kColumnTiles][4];

// Where chunk `chunk` of row `row` lies in a stage, in numbers. Two rows fill all banks once, so the row's upper bits
// choose.
IPA_DEVICE int place(int row, int chunk) { return row * 32 + (chunk ^ (row >> 1 & 3)) * kChunk; }

IPA_DEVICE int chunk_of_thread() { return static_cast<int>(thread_index()) % kChunks; }
IPA_DEVICE int row_of_thread() { return static_cast<int>(thread_index()) / kChunks; }
template <typename Tile>
constexpr int kRowStep = Tile::kThreads / kChunks;  // between the rows of which a thread copies a chunk

// A source tells where the chunks lie that a thread copies in a step: in every step it looks at the same rows.
// This one is a matrix [rows][k] with zeros around it.
template <typename Operand, typename Tile>
struct MatrixSource {
  const Operand* chunk;  // of the thread's first row
  int rows, columns;     // left from there on

  IPA_DEVICE MatrixSource(const Operand* matrix, int first_row, int all_rows, int first_k, int k) {
    const int row = first_row + row_of_thread(), column = first_k + chunk_of_thread() * kChunk;
    rows = all_rows - row, columns = k - column;
    chunk = matrix + static_cast<ptrdiff_t>(row) * k + column;
  }
  // Of the thread's row number i. False where there are zeros.
  IPA_DEVICE bool find(int i, int k, const Operand*& from) const {
    const bool inside = i * kRowStep<Tile> < rows && columns > 0;
    if (inside) from = chunk + static_cast<ptrdiff_t>(i * kRowStep<Tile>) * k;
    return inside;
  }
  IPA_DEVICE void advance() { chunk += Tile::kK, columns -= Tile::kK; }
};

// Starts the copies of a step and goes on to the next. `somewhere` can be named where nothing is read.
template <typename Tile, int kRows, typename Operand, typename Source>
IPA_DEVICE void load_stage(Operand* stage, Source& source, int k, const Operand* somewhere) {
  static_assert(kRows % kRowStep<Tile> == 0, "every thread copies as many chunks");
  IPA_UNROLL
  for (int i = 0; i < kRows / kRowStep<Tile>; ++i) {
    const Operand* from = somewhere;
    const bool inside = source.find(i, k, from);
    copy_async<16>(stage + place(row_of_thread() + i * kRowStep<Tile>, chunk_of_thread()), from, inside ? 16 : 0);
  }
  source.advance();
}

// What a warp does with one step that lies in shared memory.
template <typename Tile, typename Operand>
IPA_DEVICE void multiply_stage(const Operand* a_stage, const Operand* w_stage, int warp_m, int warp_n,
                               Sums<Tile>& sums) {
  const int lane = static_cast<int>(lane_index());
  IPA_UNROLL
  for (int half = 0; half < Tile::kK / 16; ++half) {
    uint32_t a_parts[Tile::kRowTiles][4], w_parts[Tile::kColumnTiles / 2][4];
    IPA_UNROLL
    for (int i = 0; i < Tile::kRowTiles; ++i) {
      const int row = warp_m + i * 16 + lane % 16;
      load_matrix_x4(a_parts[i], a_stage + place(row, half * 2 + lane / 16));
    }
    IPA_UNROLL
    for (int j = 0; j < Tile::kColumnTiles / 2; ++j) {
      const int row = warp_n + j * 16 + lane % 8 + lane / 16 * 8;
      load_matrix_x4(w_parts[j], w_stage + place(row, half * 2 + lane / 8 % 2));
    }
    IPA_UNROLL
    for (int i = 0; i < Tile::kRowTiles; ++i) {
      IPA_UNROLL
      for (int j = 0; j < Tile::kColumnTiles; ++j)
        multiply_k16(sums[i][j], a_parts[i], &w_parts[j / 2][j % 2 * 2], Operand{});
    }
  }
}

// The block's tile of C over `steps` steps of K.
template <typename Tile, typename Operand, typename Source, typename Weights>
IPA_DEVICE void sum_products(Source a, const Operand* a_somewhere, Weights w, const Operand* w_somewhere, int k,
                             int steps, int warp_m, int warp_n, Sums<Tile>& sums) {
  Operand* const a_stages = shared_memory<Operand>();                        // [kStages][kM][kK]
  Operand* const w_stages = a_stages + Tile::kStages * Tile::kM * Tile::kK;  // [kStages][kN][kK]
  const auto load = [&](int step) {
    const int stage = step % Tile::kStages;
    load_stage<Tile, Tile::kM>(a_stages + stage * Tile::kM * Tile::kK, a, k, a_somewhere);
    load_stage<Tile, Tile::kN>(w_stages + stage * Tile::kN * Tile::kK, w, k, w_somewhere);
  };
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
    multiply_stage<Tile>(a_stages + step % Tile::kStages * Tile::kM * Tile::kK,
                         w_stages + step % Tile::kStages * Tile::kN * Tile::kK, warp_m, warp_n, sums);
  }
}

// Calls f(offset in C, two sums) for the pairs of a lane that lie in C [m][n], n even, of a warp whose part of C begins
// at row, column.
template <typename Tile, typename F>
IPA_DEVICE void for_each_pair(Sums<Tile>& sums, int row, int column, int m, int n, const F& f) {
  const int lane = static_cast<int>(lane_index());
  IPA_UNROLL
  for (int i = 0; i < Tile::kRowTiles; ++i) {
    IPA_UNROLL
    for (int j = 0; j < Tile::kColumnTiles; ++j) {
      IPA_UNROLL
      for (int half = 0; half < 2; ++half) {
        const int r = row + i * 16 + half * 8 + lane / 4, c = column + j * 8 + lane % 4 * 2;
        if (r < m && c < n) f(static_cast<size_t>(r) * n + c, sums[i][j][half * 2], sums[i][j][half * 2 + 1]);
      }
    }
  }
}

// Leaves this slice's sums for the block that arrives last at the tile. True in that one, with the sums of all slices,
// added in the slices' order whoever came last.
template <typename Tile>
IPA_DEVICE bool join_slices(const SplitArguments& split, int row, int column, int m, int n, Sums<Tile>& sums) {
  const Index3 at = block_index(), grid = grid_size();
  const size_t slice = static_cast<size_t>(m) * n;
  float* const own = split.sums + at.z * slice;
  for_each_pair<Tile>(sums, row, column, m, n,
                      [&](size_t offset, float first, float second) { store_pair(own + offset, first, second); });
  thread_fence();  // what this thread wrote is seen before the counter moves
  block_barrier();
  uint32_t* const last = shared_memory<uint32_t>() + Tile::kSharedBytes / 4 - 1;  // behind the strips
  if (thread_index() == 0) {
    uint32_t* const arrivals = split.arrivals + static_cast<size_t>(at.y) * grid.x + at.x;
    const bool is_last = atomic_add(arrivals, 1) == grid.z - 1;
    if (is_last) *arrivals = 0;  // for the next launch; nobody else of this one comes here any more
    shared_store(last, is_last ? 1u : 0u);
  }
  block_barrier();
  if (shared_load(last) == 0) return false;
  thread_fence();
  for_each_pair<Tile>(sums, row, column, m, n, [&](size_t, float& first, float& second) { first = 0, second = 0; });
  IPA_ROLLED
  for (uint32_t z = 0; z < grid.z; ++z) {
    const float* const part = split.sums + z * slice;
    for_each_pair<Tile>(sums, row, column, m, n, [&](size_t offset, float& first, float& second) {
      float more, other;
      load_pair(part + offset, more, other);
      first += more, second += other;
    });
  }
  return true;
}

// Where a warp keeps the moments of its columns.
template <typename Tile>
IPA_DEVICE GroupMoments* moments_of_warp(int warp) {
  return shared_memory<GroupMoments>() + (Tile::kWarps * Tile::kStripBytes + warp * Tile::kMomentBytes) / 8;
}

// Rows of a part of C [m] that begins at `first` and would have `most`.
IPA_DEVICE int rows_within(int first, int most, int m) {
  const int left = m - first;
  return left < most ? left : most;  // none or fewer
}

// The warp's sums on their way out, 16 rows at a time.
template <typename Out, typename Tile>
IPA_DEVICE void finish_sums(const ResultArguments& result, int row, int column, int m, int n, Sums<Tile>& sums) {
  using namespace result_parts;
  const int lane = static_cast<int>(lane_index());
  float* const strip = shared_memory<float>() + warp_index() * (Tile::kStripBytes / 4);
  IPA_ROLLED
  for (int i = 0; i < Tile::kRowTiles; ++i) {  // in the code once: registers have no index, so the right one is sought
    IPA_UNROLL
    for (int part = 0; part < Tile::kRowTiles; ++part) {
      if (part != i) continue;
      IPA_UNROLL
      for (int j = 0; j < Tile::kColumnTiles; ++j) {
        float* const to = strip + lane / 4 * kStripStride<Tile::kWarpN> + j * 8 + lane % 4 * 2;
        shared_store(reinterpret_cast<Pair*>(to), Pair{sums[part][j][0], sums[part][j][1]});
        shared_store(reinterpret_cast<Pair*>(to + 8 * kStripStride<Tile::kWarpN>),
                     Pair{sums[part][j][2], sums[part][j][3]});
      }
    }
    warp_sync();
    finish_strip<Out, Tile::kWarpN>(result, strip, row + i * 16, column, m, n);
    if constexpr (kCounts<Out>) {
      if (result.moments) {
        warp_sync();  // the strip holds the result
        count_strip<Tile::kWarpN>(strip, rows_within(row + i * 16, 16, m), i * 16,
                                  moments_of_warp<Tile>(static_cast<int>(warp_index())));
      }
    }
    warp_sync();  // nobody reads the strip any more
  }
}

// The moments of the tile's pairs of columns, from those of the warps below one another, in their order.
template <typename Tile>
IPA_DEVICE void store_moments(const ResultArguments& result, int block_m, int block_n, int m, int n) {
  constexpr int kWarpsN = Tile::kN / Tile::kWarpN, kPairs = Tile::kWarpN / 2;  // kPairs: of a warp
  block_barrier();                                                             // those of all warps are there
  const int part_rows = result.moment_rows, parts = Tile::kM / part_rows;
  for (int i = static_cast<int>(thread_index()); i < parts * (Tile::kN / 2); i += Tile::kThreads) {
    const int pair = i % (Tile::kN / 2), first = i / (Tile::kN / 2) * part_rows;  // first: row in the tile
    if (block_n + pair * 2 >= n || block_m + first >= m) continue;
    const int place = pair % kPairs, warp = first / Tile::kWarpM * kWarpsN + pair / kPairs;
    GroupMoments all = shared_load(moments_of_warp<Tile>(warp) + place);
    IPA_ROLLED
    for (int before = Tile::kWarpM; before < part_rows; before += Tile::kWarpM) {
      const int rows = rows_within(block_m + first + before, Tile::kWarpM, m);
      if (rows <= 0) break;
      const GroupMoments more = shared_load(moments_of_warp<Tile>(warp + before / Tile::kWarpM * kWarpsN) + place);
      merge(all, 2 * before, more.mean, more.squares, 2 * rows);
    }
    result.moments[static_cast<size_t>((block_m + first) / part_rows) * (n / 2) + block_n / 2 + pair] = all;
  }
}

// What a block does once it has its sums.
template <typename Out, typename Tile>
IPA_DEVICE void finish_tile(const ResultArguments& result, const SplitArguments& split, int block_m, int block_n,
                            int warp_m, int warp_n, int m, int n, Sums<Tile>& sums) {
  if (grid_size().z > 1) {
    if (!join_slices<Tile>(split, block_m + warp_m, block_n + warp_n, m, n, sums)) return;
  } else {
    block_barrier();  // nobody reads the stages any more, whose place the strips take
  }
  finish_sums<Out, Tile>(result, block_m + warp_m, block_n + warp_n, m, n, sums);
  if constexpr (kCounts<Out>)
    if (result.moments) store_moments<Tile>(result, block_m, block_n, m, n);
}

// The steps of a slice of K, of `all` steps.
struct Share {
  int first, count;  // none or fewer in the last slices
};
IPA_DEVICE Share share_of_slice(int all_steps) {
  const int slices = static_cast<int>(grid_size().z);
  const int most = (all_steps + slices - 1) / slices, before = static_cast<int>(block_index().z) * most;
  return {before, before + most < all_steps ? most : all_steps - before};
}

// The whole of a kernel: C [m][n] = A W^T, A given by make_source(first row, first k). `column`: of blocks, within C;
// a grid that makes several Cs has more.
template <typename Operand, typename Out, typename Tile, typename MakeSource>
IPA_DEVICE void run_tile(const MakeSource& make_source, const Operand* a, const Operand* w,
                         const ResultArguments& result, const SplitArguments& split, int m, int n, int k, int column) {
  const int warp = static_cast<int>(warp_index());
  constexpr int kWarpsN = Tile::kN / Tile::kWarpN;
  const int warp_m = warp / kWarpsN * Tile::kWarpM, warp_n = warp % kWarpsN * Tile::kWarpN;
  const int block_m = static_cast<int>(block_index().y) * Tile::kM;
  const int block_n = column * Tile::kN;

  const Share share = share_of_slice((k + Tile::kK - 1) / Tile::kK);
  const int first_k = share.first * Tile::kK;

  Sums<Tile> sums = {};
  sum_products<Tile>(make_source(block_m, first_k), a, MatrixSource<Operand, Tile>(w, block_n, n, first_k, k), w, k,
                     share.count, warp_m, warp_n, sums);
  finish_tile<Out, Tile>(result, split, block_m, block_n, warp_m, warp_n, m, n, sums);
}

}  // namespace product_parts
}  // namespace ipa::cuda
