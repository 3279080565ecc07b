#pragma once
// The matrix product behind matmul.cpp and conv.cpp: y [M, N] = a [M, K] . W, where a "gather" copies stretches of rows
// of a into a small panel (plain rows, or taps of an image).
//
// Tile: kStrip x kPanel sums (14 x 32 on AVX-512, 6 x 16 on AVX2, 32 x 32 in AMX tiles). A strip of a (kStrip x at most
// kDepth) is gathered, and rounded to the level's operands, into L1, where it stays while a block of W (kDepth x at
// most kColumns, L2) streams past it. Longer K is cut into blocks whose results are added in order, so every element is
// one fixed sequence of roundings: it depends on K alone, never on M, N, the number of threads or the task it was part
// of. Where W is kept in fewer bits than operands have, its block is widened into L2 first, for all strips of a task.
#include "cpu/kernels/kernels_of_level.h"
#include "cpu/kernels/math.h"
#include "cpu/kernels/product.h"

namespace ipa::cpu::IPA_ISA {

inline constexpr int64_t kTileFloats = kStrip * kPanel;

// ---- result path: tile -> y ----

struct Place {  // of a tile in the result
  int64_t row, panel;
  int rows;
};

template <Function F, bool kGeglu>
static void store_tile(const float* c, const Place& at, int64_t n, int64_t rows_per_image, const ResultPath& r) {
  const int64_t width = kGeglu ? n / 2 : n;  // of y
  for (int64_t j = 0; j < (kGeglu ? 1 : 2); ++j) {
    const int64_t column = kGeglu ? at.panel * kLanes : at.panel * kPanel + j * kLanes;
    const int64_t count = width - column;
    if (count <= 0) return;
    const V bias = r.bias ? load_part(r.bias + column, count) : V{};
    const V gate_bias = kGeglu && r.bias ? load_part(r.bias + width + column, count) : V{};
    int64_t image = r.channel ? at.row / rows_per_image : 0, image_end = (image + 1) * rows_per_image;
    for (int i = 0; i < at.rows; ++i) {
      const int64_t row = at.row + i;
      V v = load(c + i * kPanel + j * kLanes) + bias;
      const float* channel = nullptr;
      if (r.channel) {
        if (row == image_end) ++image, image_end += rows_per_image;
        channel = r.channel + image * r.channel_step + column;
        v += load_part(channel, count);
      }
      if constexpr (kGeglu) {
        V gate = load(c + i * kPanel + kLanes) + gate_bias;
        if (channel) gate += load_part(channel + width, count);
        v *= gelu(gate);
      } else {
        v = activate<F>(v);
      }
      if (r.residual) v += load_part(r.residual + row * width + column, count);
      store_part(r.y + row * width + column, v, count);
    }
  }
}

static inline void store_result(const float* c, const Place& at, int64_t n, int64_t rows_per_image,
                                const ResultPath& r) {
  if (r.geglu) return store_tile<Function::identity, true>(c, at, n, rows_per_image, r);
  switch (r.function) {
    case Function::relu:
      return store_tile<Function::relu, false>(c, at, n, rows_per_image, r);
    case Function::silu:
      return store_tile<Function::silu, false>(c, at, n, rows_per_image, r);
    case Function::gelu:
      return store_tile<Function::gelu, false>(c, at, n, rows_per_image, r);
    case Function::quick_gelu:
      return store_tile<Function::quick_gelu, false>(c, at, n, rows_per_image, r);
    default:
      return store_tile<Function::identity, false>(c, at, n, rows_per_image, r);
  }
}

// ---- splitting ----

// Tasks: a grid of row ranges x ranges of panels. The cheapest grid by counting tiles; it changes no result.
struct Grid {
  int64_t rows, columns;
};

static inline Grid grid_of(int64_t m, int64_t panels, int64_t k, int threads) {
  const Grid least_parts = {ceil_div(m, kTaskRows), ceil_div(panels, kColumns)};
  if (threads == 1 || m * panels * k < 1 << 15) return least_parts;
  const int64_t tiles = ceil_div(m, kStrip), extra = least(threads, 16);
  Grid best = least_parts;
  double best_cost = 1e30;
  for (int64_t columns = least_parts.columns; columns <= least(panels, least_parts.columns + extra); ++columns) {
    for (int64_t rows = least_parts.rows; rows <= least(tiles, least_parts.rows + extra); ++rows) {
      const double rounds = static_cast<double>(ceil_div(rows * columns, threads));
      // Per task: loading its block of W costs about a row of tiles more, gathering a strip part of a tile.
      const double cost = rounds * (static_cast<double>(ceil_div(tiles, rows)) + 1.0) *
                          (static_cast<double>(ceil_div(panels, columns)) + kGatherCost);
      if (cost < best_cost) best_cost = cost, best = {rows, columns};
    }
  }
  return best;
}

// Start of part i when `count` things are cut into `parts` almost equal ranges.
IPA_INLINE int64_t cut(int64_t count, int64_t parts, int64_t i) { return count * i / parts; }

// The same where all ranges but the last are multiples of `unit`.
IPA_INLINE int64_t cut_units(int64_t count, int64_t unit, int64_t parts, int64_t i) {
  return least(count, cut(ceil_div(count, unit), parts, i) * unit);
}

inline constexpr int64_t kStripFloats = kStrip * kPitch * sizeof(Operand) / sizeof(float);

IPA_INLINE int64_t gemm_scratch_floats(int64_t k) {  // per thread
  const int64_t tiles = k > kDepth ? (kTaskRows / kStrip + 1) * kColumns : 1;
  return kWidenedFloats + kStripFloats + tiles * kTileFloats;
}

// ---- driver ----

// gather(row, rows, k_begin, k_end, to): rows of a, as operands, into to[i * kPitch + (k - k_begin)].
template <typename Gather>
static void gemm(const Gather& gather, int64_t m, const PackedMatrix& w, int64_t rows_per_image,
                 const ResultPath& result, float* scratch, const Context& context) {
  const int64_t k = w.k, panels = ceil_div(w.n, kPanel), blocks = ceil_div(k, kDepth);
  const int64_t padded_k = ceil_div(k, kDepthUnit) * kDepthUnit, element = stored_bytes(w.type);
  const Grid grid = grid_of(m, panels, k, context.pool.threads());
  const int64_t scratch_step = gemm_scratch_floats(k);
  for_tasks(context, grid.rows * grid.columns, [&](int slot, int64_t task) {
    [[maybe_unused]] const Session session;
    Operand* widened = reinterpret_cast<Operand*>(scratch + slot * scratch_step);
    float* sums = scratch + slot * scratch_step + kWidenedFloats + kStripFloats;
    Operand* a = reinterpret_cast<Operand*>(sums - kStripFloats);
    const int64_t row_begin = cut_units(m, kRowUnit, grid.rows, task % grid.rows);
    const int64_t rows = cut_units(m, kRowUnit, grid.rows, task % grid.rows + 1) - row_begin;
    const int64_t panel_begin = cut(panels, grid.columns, task / grid.rows);
    const int64_t panel_end = cut(panels, grid.columns, task / grid.rows + 1);
    const int64_t strips = ceil_div(rows, kStrip);
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t k_begin = cut_units(k, kDepthUnit, blocks, block);
      const int64_t k_end = cut_units(k, kDepthUnit, blocks, block + 1);
      const int64_t depth = ceil_div(k_end - k_begin, kDepthUnit) * kDepthUnit;
      const bool first = block == 0, last = block + 1 == blocks;
      const char* stored = static_cast<const char*>(w.data) + (panel_begin * padded_k + k_begin) * kPanel * element;
      const int64_t stored_step = padded_k * kPanel * element;  // bytes from one panel to the next
      const WeightBlock b = weight_block(w, stored, stored_step, panel_end - panel_begin, depth, widened);
      // The strips share the work of fetching the next block of W: M = 64 would wait for memory otherwise.
      const int64_t share = kPanel * kStepDepth * element / strips;  // bytes per step
      const char* next = last ? stored : stored + depth * kPanel * element;
      float* c = sums;
      for (int64_t strip = 0; strip < strips; ++strip) {
        const int64_t row = row_begin + cut_units(rows, kRowUnit, strips, strip);
        const int count = static_cast<int>(row_begin + cut_units(rows, kRowUnit, strips, strip + 1) - row);
        gather(row, count, k_begin, k_end, a);
        if (depth > k_end - k_begin)
          for (int i = 0; i < count; ++i) clear(a + i * kPitch + (k_end - k_begin), depth - (k_end - k_begin));
        for (int64_t panel = panel_begin; panel < panel_end; ++panel) {
          const int64_t i = panel - panel_begin;
          const Ahead ahead = {next + i * stored_step + strip * share * (depth / kStepDepth), share};
          product(count, a, kPitch, b.from + i * b.step, depth, c, !first, ahead);
          if (last) store_result(c, {row, panel, count}, w.n, rows_per_image, result);
          if (blocks > 1) c += kTileFloats;
        }
      }
      if (context.stop.raised()) return;
    }
  });
}

}  // namespace ipa::cpu::IPA_ISA
