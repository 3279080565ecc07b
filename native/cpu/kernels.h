#pragma once
// What every CPU level offers: plain functions over raw f32 pointers, one source per kernel in kernels/, compiled once
// per level into ipa::cpu::<level>. Kernels of bf16 levels take the same f32 arguments and round operands themselves.
// The naive twins in naive/ take the same arguments. Pointers are NHWC f32; sizes are elements. Kernels never throw and
// never allocate: scratch is handed in, sized by the *_scratch functions.
#include <cstddef>
#include <cstdint>

#include "core/dtype.h"
#include "core/stop.h"
#include "core/threads.h"
#include "plan/ops.h"

namespace ipa::cpu {

// A matrix W^T packed for one level: K rows (k = (ky, kx, cin) for convolutions, tap-major) by N columns, as panels of
// `panel` columns: element (k, n) of f32 levels is data[(n / panel * K + k) * panel + n % panel], the last panel padded
// with zeros; the order of bf16 levels is in kernels/bf16.h. f32 levels keep f16 and bf16 of the file as they are and
// widen a block of them at a time on the way to the sums, which is exact and costs half the memory. GEGLU weights
// interleave value and gate so that one block of columns holds both: column order is the level's own, see
// Level::geglu_column.
struct PackedMatrix {
  const void* data;
  int64_t k, n;
  DType type = DType::f32;  // f32, f16 or bf16; of bf16 levels without meaning
};

// Where a result goes: y = function(acc + bias + channel) or value * gelu(gate), then + residual.
struct ResultPath {
  float* y;
  const float* bias;      // [N] or null; bias and channel are in the order of the file, also with geglu
  const float* channel;   // [images, N] or null
  int64_t channel_step;   // elements from one image's row to the next; 0: the same row for all
  const float* residual;  // shape of y, or null
  Function function;
  bool geglu;  // y then has N / 2 columns
};

struct MatMulArgs {  // y [M, N] = a [M, K] . W
  const float* a;
  int64_t m;
  PackedMatrix w;
  int64_t rows_per_image;  // rows that share one `channel` row
  ResultPath result;
};

struct ConvArgs {  // NHWC
  const float* x;
  int64_t n, h, w, c;            // of x in memory
  int64_t virtual_h, virtual_w;  // size seen by the kernel (nearest upsample folded in); h, w when there is none
  int kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left, dilation_h, dilation_w;
  int64_t out_h, out_w;
  PackedMatrix weight;
  ResultPath result;
};

struct AttendTermArgs {
  const float* k;  // [images or 1, T, C]
  const float* v;
  int64_t image_step;  // elements from one image's keys to the next; 0: the same for all
  int64_t tokens;      // T
  const float* scale;  // one number, read at run time; null: 1. 0.0 skips the term
  const float* mask;   // [queries] or null
  int64_t mask_step;   // per image; 0: the same
};

struct AttendArgs {  // y [images, queries, C], C = heads * d
  const float* q;
  int64_t images, queries;
  int heads;
  int64_t head_dim;  // d
  float factor;
  bool causal;
  const AttendTermArgs* terms;
  int term_count;
  float* y;
};

struct GroupNormArgs {
  const float* x;
  const float* scale;
  const float* shift;
  int64_t images, pixels, channels;
  int groups;
  float eps;
  Function function;
  float* y;
  const float* moments = nullptr;  // [images, rows, groups, 2] of `width` pixels each; null: those of x
  int64_t rows = 0, width = 0;
};

struct LayerNormArgs {
  const float* x;
  const float* scale;
  const float* shift;
  int64_t rows, channels;
  float eps;
  float* y;
};

// What a run hands to every kernel.
struct Context {
  ThreadPool& pool;
  const StopFlag& stop;  // kernels that may take over 10 ms poll it between parts and leave early
  std::byte* scratch;    // aligned to 64
};

// Rows [first, first + rows) of a weight [n, cin * taps] as the file has it: Linear [N, K] with taps 1, Conv [N, Cin,
// kh, kw] with taps kh * kw. With geglu n / 2 rows of values are counted and `from` has their gates' rows behind them.
struct PackArgs {
  const void* from;
  DType type;  // f32, f16 or bf16
  int64_t n, cin, taps;
  bool geglu;
  int64_t first, rows;        // whole panels (halves of panels with geglu) or up to the last row
  void* to;                   // where the whole packed weight lies
  DType stored = DType::f32;  // PackedMatrix::type: that of `from`, or f32, or what f32 is rounded to
};

struct Level {
  const char* name;  // "base", "avx2", "avx512", "avx512bf16", "amx"
  int panel;         // columns of a packed panel
  // Column of the packed matrix where output column `n` of a GEGLU weight [2C] stands (n < C value, n >= C gate).
  int64_t (*geglu_column)(int64_t n, int64_t columns);
  size_t (*packed_bytes)(int64_t k, int64_t n, DType type);  // PackedMatrix::type
  void (*pack)(const PackArgs&) noexcept;
  // One element of a packed matrix, for the naive twins and tests.
  float (*packed_at)(const PackedMatrix& w, int64_t k, int64_t column);

  size_t (*matmul_scratch)(const MatMulArgs&, int threads);
  void (*matmul)(const MatMulArgs&, const Context&) noexcept;
  size_t (*conv_scratch)(const ConvArgs&, int threads);
  void (*conv)(const ConvArgs&, const Context&) noexcept;
  // 3x3 convolutions with a quarter of the multiplications, in f32; null: the level has none. `fits` says where it is
  // faster; it takes any of stride and dilation 1.
  bool (*winograd_fits)(const ConvArgs&);
  size_t (*winograd_scratch)(const ConvArgs&, int threads);
  void (*winograd)(const ConvArgs&, const Context&) noexcept;
  // The same in f32 from weights as bf16 levels pack them. It is those levels' `winograd`; their own of this is null.
  void (*winograd_of_pairs)(const ConvArgs&, const Context&) noexcept;
  // Convolutions to a handful of channels without waste, in f32, for those that `fits` says; from weights in pairs as
  // above.
  bool (*conv_few_fits)(const ConvArgs&);
  size_t (*conv_few_scratch)(const ConvArgs&, int threads);
  void (*conv_few)(const ConvArgs&, const Context&) noexcept;
  void (*conv_few_of_pairs)(const ConvArgs&, const Context&) noexcept;
  size_t (*attend_scratch)(const AttendArgs&, int threads);
  void (*attend)(const AttendArgs&, const Context&) noexcept;
  size_t (*group_norm_scratch)(const GroupNormArgs&, int threads);
  void (*group_norm)(const GroupNormArgs&, const Context&) noexcept;
  void (*layer_norm)(const LayerNormArgs&, const Context&) noexcept;
  // Element functions over n floats; y may be x.
  void (*apply)(Function function, const float* x, float alpha, float beta, float* y, int64_t n) noexcept;
  void (*geglu)(const float* x, float* y, int64_t rows, int64_t columns) noexcept;  // x [rows, 2 columns]
  void (*add)(const float* a, const float* b, float* y, int64_t n) noexcept;
  void (*add_scaled)(const float* x, const float* y, float scale, float* out, int64_t n) noexcept;

  // Of bf16 levels: whether products of exact weights (WeightWant) are made by the f32 kernels, where those are not
  // many times slower.
  bool exact_in_f32 = false;

  // The same level for plans that compute with bf16: other packing, products and attention. Null: f32 alone.
  const Level* bf16 = nullptr;
};

}  // namespace ipa::cpu
