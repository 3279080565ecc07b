// 3x3 convolutions of stride 1 as Winograd's F(4x4, 3x3), NHWC f32: tiles of 4 x 4 results from patches of 6 x 6 pixels
// with a quarter of the multiplications. The points and their transforms: winograd_points.h. For a chunk of tiles:
//   1. patches -> their 36 points, V [36][tiles, Cin];
//   2. per group of panels and row of points: weights -> their points in L2, then M [36] = V . U with the tiles and
//      blocking of gemm.h;
//   3. M -> results, through the result path.
// The weights are those of conv.cpp, brought to the points again for every chunk, which costs some 15 tiles' worth of
// products. Keeping them at the points was 1.05 to 1.15 times as fast with 64 tiles and more and no faster with 16, for
// four times the memory. Every result is one fixed sequence of roundings, whatever the chunk, the thread or the batch.
// Relative error against f64 sums 1.2e-6 at Cin = 320 to 1280 (implicit GEMM: 2.3e-7).
// Bound by multiply-adds and, with few tiles, by L2 and memory. Measured, counted at the FLOP of a plain convolution:
// 2.3, 2.4, 1.7 of the multiply-add peak on AVX-512 and 2.5, 2.6, 2.1 on AVX2 at 64 x 64 x 320, 32 x 32 x 640,
// 16 x 16 x 1280 (Xeon, Emerald Rapids, 2 threads); 3.0, 3.1, 2.6 on AVX-512 of an EPYC (Zen 4, 2 threads), the same
// from bf16 weights in pairs.
#include "cpu/kernels/winograd_fits.h"
#include "cpu/kernels/winograd_tiles.h"

namespace ipa::cpu::IPA_ISA {

bool winograd_fits(const ConvArgs& args) { return winograd_takes(args) && winograd_beats(args, 48, 15); }

// Which row and column of x a pixel of a patch is; -1: padding, which is read as zeros.
struct Tables {
  int32_t *rows, *columns;  // [4 down + 2], [4 across + 2]
  float* zeros;             // [Cin]
};

static int64_t index_floats(const Winograd& w) { return ceil_div(kOut * (w.down + w.across) + 4, 16) * 16; }
static int64_t table_floats(const ConvArgs& args, const Winograd& w) {
  return index_floats(w) + ceil_div(args.c, 16) * 16;
}

static size_t alone_scratch(const ConvArgs& args, int threads) {
  const Winograd w = alone_of(args);
  const int64_t floats = table_floats(args, w) + w.panels * kPoints * w.weight_plane +
                         kPoints * (w.patch_plane + w.product_plane) * threads;
  return static_cast<size_t>(floats) * sizeof(float);
}

size_t winograd_scratch(const ConvArgs& args, int threads) {
  if (winograd_alone(args)) return alone_scratch(args, threads);
  const Winograd w = winograd_of(args);
  const int64_t floats =
      table_floats(args, w) + kPoints * (w.patch_plane + w.product_plane) + kSide * w.weight_plane * threads;
  return static_cast<size_t>(floats) * sizeof(float);
}

static void fill_table(int32_t* table, int64_t count, int pad, int64_t size, int64_t virtual_size) {
  for (int64_t i = 0; i < count; ++i) {
    const int64_t at = i - pad;
    const bool inside = at >= 0 && at < virtual_size;
    table[i] = static_cast<int32_t>(!inside ? -1 : size == virtual_size ? at : at * size / virtual_size);
  }
}

static void gather_patch(const ConvArgs& args, const Winograd& w, const Tables& tables, int64_t tile, float* to) {
  const int32_t* ys = tables.rows + tile / w.across % w.down * kOut;
  const int32_t* xs = tables.columns + tile % w.across * kOut;
  const float* from = args.x + tile / (w.down * w.across) * args.h * args.w * args.c;
  const float* pixels[kPoints];
  for (int64_t y = 0; y < kSide; ++y)
    for (int64_t x = 0; x < kSide; ++x)
      pixels[y * kSide + x] = ys[y] < 0 || xs[x] < 0 ? tables.zeros : from + (ys[y] * args.w + xs[x]) * args.c;
  transform_patch(pixels, args.c, w, to);
}

// Tasks of the second stage: groups of panels x ranges of the six rows of points. All rows in one task read the weights
// from memory once, more tasks keep more threads busy; it changes no result.
struct Tasks {
  int64_t groups, ranges;
};

static Tasks tasks_of(const Winograd& w, int threads) {
  Tasks best{ceil_div(w.panels, kGroup), 1};
  double best_use = 0;
  for (const int64_t ranges : {1, 2, 3, 6}) {
    const int64_t tasks = best.groups * ranges;
    const double use = static_cast<double>(tasks) / static_cast<double>(ceil_div(tasks, threads) * threads);
    if (use > best_use * 1.05) best_use = use, best.ranges = ranges;
  }
  return best;
}

struct Panels {
  int64_t begin, end;
};

// M of one row of points (+)= V . U of one block of k: patches and products at the row's first point and the chunk's
// first tile, u [6 planes, panels, depth, kPanel].
static void multiply_row(const Winograd& w, int64_t count, Panels panels, const float* patches, const float* u,
                         int64_t depth, bool add, float* products) {
  const int64_t strips = ceil_div(count, kStrip);
  for (int64_t x = 0; x < kSide; ++x) {
    for (int64_t strip = 0; strip < strips; ++strip) {
      const int64_t row = cut(count, strips, strip);
      const int rows = static_cast<int>(cut(count, strips, strip + 1) - row);
      const float* a = patches + x * w.patch_plane + row * kPitch;
      const float* b = u + x * w.weight_plane;
      float* c = products + x * w.product_plane + (strip * w.panels + panels.begin) * kTileFloats;
      for (int64_t panel = panels.begin; panel < panels.end; ++panel, b += depth * kPanel, c += kTileFloats)
        product(rows, a, kPitch, b, depth, c, add, {reinterpret_cast<const char*>(b), 0});
    }
  }
}

template <bool kPairs>
static void multiply(const ConvArgs& args, const Winograd& w, int64_t count, Panels panels, Panels ys,
                     const float* patches, float* u, float* products) {
  const int64_t c = args.c;
  for (int64_t block = 0; block < w.blocks; ++block) {
    const int64_t begin = depth_cut(w, c, block), depth = depth_cut(w, c, block + 1) - begin;
    for (int64_t y = ys.begin; y < ys.end; ++y) {
      for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
        float* to = u + (panel - panels.begin) * depth * kPanel;
        transform(args.weight, kPairs, panel, c, begin, depth, kWeightRows[y], w, to);
      }
      multiply_row(w, count, panels, patches + y * kSide * w.patch_plane + block * w.chunk * kPitch, u, depth,
                   block > 0, products + y * kSide * w.product_plane);
    }
  }
}

static Tables tables_of(const ConvArgs& args, const Winograd& w, std::byte* scratch) {
  int32_t* rows = reinterpret_cast<int32_t*>(scratch);
  const Tables tables = {rows, rows + kOut * w.down + 2, reinterpret_cast<float*>(scratch) + index_floats(w)};
  for (int64_t i = 0; i < args.c; ++i) tables.zeros[i] = 0;
  fill_table(tables.rows, kOut * w.down + 2, args.pad_top, args.h, args.virtual_h);
  fill_table(tables.columns, kOut * w.across + 2, args.pad_left, args.w, args.virtual_w);
  return tables;
}

template <bool kPairs>
static void convolve_alone(const ConvArgs& args, const Context& context) {
  const Winograd w = alone_of(args);
  const Tables tables = tables_of(args, w, context.scratch);
  float* weights = reinterpret_cast<float*>(context.scratch) + table_floats(args, w);  // [panels, 36 planes]
  float* own = weights + w.panels * kPoints * w.weight_plane;
  const FinishTile finish = finish_tile_of(args.result.function);
  for_tasks(context, w.panels * kSide, [&](int, int64_t task) {
    float* to = weights + task * kSide * w.weight_plane;
    transform(args.weight, kPairs, task / kSide, args.c, 0, args.c, kWeightRows[task % kSide], w, to);
  });
  for_tasks(context, ceil_div(w.tiles, w.chunk), [&](int slot, int64_t task) {
    float* patches = own + slot * kPoints * (w.patch_plane + w.product_plane);
    float* products = patches + kPoints * w.patch_plane;
    const int64_t first = task * w.chunk, count = least(w.chunk, w.tiles - first);
    for (int64_t i = 0; i < count; ++i) gather_patch(args, w, tables, first + i, patches + i * kPitch);
    for (int64_t panel = 0; panel < w.panels; ++panel) {
      const float* u = weights + panel * kPoints * w.weight_plane;
      for (int64_t point = 0; point < kPoints; ++point, u += w.weight_plane)
        for (int64_t row = 0; row < count; row += kStrip)
          product(static_cast<int>(least(kStrip, count - row)), patches + point * w.patch_plane + row * kPitch, kPitch,
                  u, args.c, products + point * w.product_plane + row * kPanel, false,
                  {reinterpret_cast<const char*>(u), 0});
      for (int64_t i = 0; i < count; ++i) finish(products + i * kPanel, w, args, first + i, panel);
    }
  });
}

template <bool kPairs>
static void convolve(const ConvArgs& args, const Context& context) {
  if (winograd_alone(args)) return convolve_alone<kPairs>(args, context);
  const Winograd w = winograd_of(args);
  const Tasks tasks = tasks_of(w, context.pool.threads());
  const Tables tables = tables_of(args, w, context.scratch);
  float* patches = reinterpret_cast<float*>(context.scratch) + table_floats(args, w);
  float* products = patches + kPoints * w.patch_plane;
  float* weights = products + kPoints * w.product_plane;
  const FinishTile finish = finish_tile_of(args.result.function);

  for (int64_t first = 0; first < w.tiles && !context.stop.raised(); first += w.chunk) {
    const int64_t count = least(w.chunk, w.tiles - first), strips = ceil_div(count, kStrip);
    for_tasks(context, ceil_div(count, 4), [&](int, int64_t task) {
      for (int64_t i = task * 4; i < least(count, task * 4 + 4); ++i)
        gather_patch(args, w, tables, first + i, patches + i * kPitch);
    });
    for_tasks(context, tasks.groups * tasks.ranges, [&](int slot, int64_t task) {
      const int64_t group = task / tasks.ranges, range = task % tasks.ranges;
      const Panels panels = {cut(w.panels, tasks.groups, group), cut(w.panels, tasks.groups, group + 1)};
      const Panels ys = {cut(kSide, tasks.ranges, range), cut(kSide, tasks.ranges, range + 1)};
      multiply<kPairs>(args, w, count, panels, ys, patches, weights + slot * kSide * w.weight_plane, products);
    });
    for_tasks(context, strips, [&](int, int64_t strip) {
      for (int64_t panel = 0; panel < w.panels; ++panel) {
        const float* m = products + (strip * w.panels + panel) * kTileFloats;
        for (int64_t row = cut(count, strips, strip); row < cut(count, strips, strip + 1); ++row, m += kPanel)
          finish(m, w, args, first + row, panel);
      }
    });
  }
}

void winograd(const ConvArgs& args, const Context& context) noexcept { convolve<false>(args, context); }
void winograd_of_pairs(const ConvArgs& args, const Context& context) noexcept { convolve<true>(args, context); }

}  // namespace ipa::cpu::IPA_ISA
