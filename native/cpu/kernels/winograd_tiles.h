#pragma once
// The stages of winograd.cpp, each for a part of the work that one thread does alone.
#include "cpu/kernels/gemm.h"
#include "cpu/kernels/winograd_points.h"

namespace ipa::cpu::IPA_ISA {

inline constexpr int64_t kChunkFloats = 2 << 20;  // patches and products of a chunk: 8 MiB
inline constexpr int64_t kChunkTiles = 64;        // of a chunk at least: its weights are made anew
inline constexpr int64_t kGroup = 64 / kPanel;    // panels whose weights are at the points at a time: 480 KiB, L2

// Sizes of a run. Its memory: tables, patches, products, and for each thread weights.
struct Winograd {
  int64_t down, across, tiles;  // tiles of one image, of all images
  int64_t chunk;                // tiles at a time
  int64_t blocks, panels;       // of k, of result channels
  int64_t patch_plane;          // floats from one point to the next: [blocks, chunk, kPitch]
  int64_t product_plane;        // [strips, panels, kTileFloats]
  int64_t weight_plane;         // [kGroup, kDepth, kPanel]
};

static Winograd winograd_of(const ConvArgs& args) {
  Winograd w{};
  w.down = ceil_div(args.out_h, kOut), w.across = ceil_div(args.out_w, kOut);
  w.tiles = args.n * w.down * w.across;
  w.blocks = ceil_div(args.c, kDepth), w.panels = ceil_div(args.weight.n, kPanel);
  const int64_t of_tile = kPoints * (w.blocks * kPitch + w.panels * kPanel);
  w.chunk = ceil_div(w.tiles, ceil_div(w.tiles, most(kChunkTiles, kChunkFloats / of_tile)));
  // 48 floats more, an odd number of cache lines, or the planes would meet in one set of a cache.
  w.patch_plane = w.blocks * w.chunk * kPitch + 48;
  w.product_plane = ceil_div(w.chunk, kStrip) * w.panels * kTileFloats + 48;
  w.weight_plane = kGroup * kDepth * kPanel + 48;
  return w;
}

// The same of a run whose threads go alone: a chunk is theirs, with products of one panel, and the weight planes are of
// one panel and all channels. The one depth is at most kDepth.
inline constexpr int64_t kAloneStrips = 2;

static Winograd alone_of(const ConvArgs& args) {
  Winograd w = winograd_of(args);
  w.chunk = kAloneStrips * kStrip;
  w.patch_plane = w.chunk * kPitch + 48;
  w.product_plane = kAloneStrips * kTileFloats + 48;
  w.weight_plane = args.c * kPanel;
  return w;
}

// Start of a block of k.
IPA_INLINE int64_t depth_cut(const Winograd& w, int64_t c, int64_t block) {
  return cut_units(c, kLanes, w.blocks, block);
}

// kLanes channels of a patch, or with `part` what is left of them, become its points, each in its plane.
template <bool kPart>
IPA_INLINE void transform_lanes(const float* const* pixels, int64_t at, int64_t part, int64_t plane, float* to) {
  V t[kPoints];
#pragma GCC unroll 6
  for (int64_t x = 0; x < kSide; ++x) {
    V d[kSide];
#pragma GCC unroll 6
    for (int64_t y = 0; y < kSide; ++y) {
      const float* from = pixels[y * kSide + x] + at;
      d[y] = kPart ? load_part(from, part) : load(from);
    }
    image_at_points(d);
#pragma GCC unroll 6
    for (int64_t y = 0; y < kSide; ++y) t[y * kSide + x] = d[y];
  }
#pragma GCC unroll 6
  for (int64_t y = 0; y < kSide; ++y) {
    image_at_points(t + y * kSide);
#pragma GCC unroll 6
    for (int64_t x = 0; x < kSide; ++x) store(to + (y * kSide + x) * plane, t[y * kSide + x]);
  }
}

// The pixels of a patch become its points: to [36 planes, blocks, chunk, kPitch]
static void transform_patch(const float* const* pixels, int64_t c, const Winograd& w, float* to) {
  for (int64_t block = 0; block < w.blocks; ++block, to += w.chunk * kPitch) {
    const int64_t begin = depth_cut(w, c, block), end = depth_cut(w, c, block + 1);
    int64_t at = begin;
    for (; at + kLanes <= end; at += kLanes) transform_lanes<false>(pixels, at, kLanes, w.patch_plane, to + at - begin);
    if (at < end) transform_lanes<true>(pixels, at, end - at, w.patch_plane, to + at - begin);
  }
}

// The packed weights of one panel, k = tap * cin + channel, in the order of f32 levels (kernels.h) and in that of bf16
// levels (bf16.h: [K / 32][2][16 pairs][16 columns][2]), whose panel may hold several of this level's.
template <typename From>
struct Columns {
  const From* panel;
};
struct Pairs {
  const uint16_t* panel;
};

// kLanes columns of a panel from the `lane`-th on.
template <typename From>
IPA_INLINE V weights_at(const Columns<From>& from, int64_t k, int64_t lane) {
  return load_f32(from.panel + k * kPanel + lane);
}
IPA_INLINE const uint16_t* pair_at(const Pairs& from, int64_t k, int64_t lane) {
  return from.panel + (k / 32 * 2 + lane / 16) * 512 + k % 32 / 2 * 32 + lane % 16 * 2;
}
IPA_INLINE VU load_pairs(const uint16_t* from) {
  return reinterpret_cast<VU>(load(reinterpret_cast<const float*>(from)));
}
IPA_INLINE V weights_at(const Pairs& from, int64_t k, int64_t lane) {
  const VU both = load_pairs(pair_at(from, k, lane));
  return reinterpret_cast<V>(k % 2 == 0 ? both << 16 : both & 0xffff0000u);
}

// A row of points of one vector of columns, from the nine taps at it.
template <typename Taps>
IPA_INLINE void row_of_points(const Taps& tap, const V* row, const Winograd& w, float* to) {
  V g[3], u[kSide];
#pragma GCC unroll 3
  for (int64_t x = 0; x < 3; ++x) g[x] = fma(row[2], tap(6 + x), fma(row[1], tap(3 + x), row[0] * tap(x)));
  weights_at_points(g[0], g[1], g[2], u);
#pragma GCC unroll 6
  for (int64_t x = 0; x < kSide; ++x) store(to + x * w.weight_plane, u[x]);
}

// One row of points of the weights of `depth` channels from `begin` on: to [6 planes, depth, kPanel]
template <typename Panel>
static void transform_weights(const Panel& from, int64_t c, int64_t begin, int64_t depth, const V* row,
                              const Winograd& w, float* to) {
  for (int64_t k = begin; k < begin + depth; ++k, to += kPanel)
    for (int64_t lane = 0; lane < kPanel; lane += kLanes)
      row_of_points([&](int64_t tap) { return weights_at(from, tap * c + k, lane); }, row, w, to + lane);
}

// The same for whole blocks of 32 channels: their taps lie at one distance, and each vector has two channels.
static void transform_pairs(const Pairs& from, int64_t c, int64_t begin, int64_t depth, const V* row, const Winograd& w,
                            float* to) {
  for (int64_t k = begin; k < begin + depth; k += 2, to += 2 * kPanel)
    for (int64_t lane = 0; lane < kPanel; lane += kLanes) {
      const uint16_t* place = pair_at(from, k, lane);
      VU both[9];
#pragma GCC unroll 9
      for (int64_t tap = 0; tap < 9; ++tap) both[tap] = load_pairs(place + tap * c * 32);
      row_of_points([&](int64_t tap) { return reinterpret_cast<V>(both[tap] << 16); }, row, w, to + lane);
      row_of_points([&](int64_t tap) { return reinterpret_cast<V>(both[tap] & 0xffff0000u); }, row, w,
                    to + kPanel + lane);
    }
}

static void transform(const PackedMatrix& weights, bool pairs, int64_t panel, int64_t c, int64_t begin, int64_t depth,
                      const float (&row)[3], const Winograd& w, float* to) {
  const V r[3] = {splat(row[0]), splat(row[1]), splat(row[2])};
  if (!pairs)
    return with_type(weights.type, weights.data, [&]<typename From>(const From* numbers) {
      transform_weights(Columns<From>{numbers + panel * 9 * c * kPanel}, c, begin, depth, r, w, to);
    });
  const int64_t column = panel * kPanel, blocks = ceil_div(9 * c, 32);
  const Pairs from = {static_cast<const uint16_t*>(weights.data) + column / 32 * blocks * 1024 +
                      column % 32 / 16 * 512 + column % 16 * 2};
  if (c % 32 == 0)
    transform_pairs(from, c, begin, depth, r, w, to);
  else
    transform_weights(from, c, begin, depth, r, w, to);
}

// kLanes channels of the 4 x 4 results of one tile through the result path, with kPart `count` of them; m [36 planes].
template <Function F, bool kPart>
IPA_INLINE void finish_lanes(const float* m, int64_t plane, const ResultPath& r, int64_t count, V bias, V channel,
                             int64_t at, int64_t line, int64_t rows, int64_t columns, int64_t n) {
  V t[kOut * kSide];
#pragma GCC unroll 6
  for (int64_t x = 0; x < kSide; ++x) {
    V d[kSide], v[kOut];
#pragma GCC unroll 6
    for (int64_t y = 0; y < kSide; ++y) d[y] = load(m + (y * kSide + x) * plane);
    results_from_points(d, v);
#pragma GCC unroll 4
    for (int64_t y = 0; y < kOut; ++y) t[y * kSide + x] = v[y];
  }
  for (int64_t y = 0; y < rows; ++y, at += line) {
    V v[kOut];
    results_from_points(t + y * kSide, v);
    int64_t to = at;
#pragma GCC unroll 4
    for (int64_t x = 0; x < kOut; ++x, to += n) {
      if (x >= columns) break;
      V value = activate<F>(v[x] + bias + channel);
      if (r.residual) value += kPart ? load_part(r.residual + to, count) : load(r.residual + to);
      kPart ? store_part(r.y + to, value, count) : store(r.y + to, value);
    }
  }
}

// 4 x 4 results of one tile and panel through the result path, from m [36 planes, kPanel].
template <Function F>
static void finish_tile(const float* m, const Winograd& w, const ConvArgs& args, int64_t tile, int64_t panel) {
  const ResultPath& r = args.result;
  const int64_t n = args.weight.n, image = tile / (w.down * w.across);
  const int64_t top = tile / w.across % w.down * kOut, left = tile % w.across * kOut;
  const int64_t rows = least(kOut, args.out_h - top), columns = least(kOut, args.out_w - left);
  const int64_t at = ((image * args.out_h + top) * args.out_w + left) * n, line = args.out_w * n;
  for (int64_t first = panel * kPanel; first < least(n, (panel + 1) * kPanel); first += kLanes, m += kLanes) {
    const int64_t count = n - first;
    const V bias = r.bias ? load_part(r.bias + first, count) : V{};
    const V channel = r.channel ? load_part(r.channel + image * r.channel_step + first, count) : V{};
    const auto lanes = count < kLanes ? finish_lanes<F, true> : finish_lanes<F, false>;
    lanes(m, w.product_plane, r, count, bias, channel, at + first, line, rows, columns, n);
  }
}

using FinishTile = void (*)(const float*, const Winograd&, const ConvArgs&, int64_t tile, int64_t panel);

static FinishTile finish_tile_of(Function function) {
  switch (function) {
    case Function::relu:
      return finish_tile<Function::relu>;
    case Function::silu:
      return finish_tile<Function::silu>;
    case Function::gelu:
      return finish_tile<Function::gelu>;
    case Function::quick_gelu:
      return finish_tile<Function::quick_gelu>;
    default:
      return finish_tile<Function::identity>;
  }
}

}  // namespace ipa::cpu::IPA_ISA
