#pragma once
// The plain twin of every op: short loops, sums in f64, last in every list of implementations. The yardstick of the
// kernels, and what runs the ops that no kernel exists for. None of them may have its result overlap an input.
#include <cstddef>
#include <cstdint>

#include "cpu/kernels.h"
#include "plan/ops.h"

namespace ipa::cpu::naive {

// A value of the plan in memory.
struct Tensor {
  const float* data;
  Shape shape;
};

float value(Function function, float x, float alpha = 0, float beta = 0) noexcept;

// matmul.cpp. Weights are packed for `level` and read through its packed_at.
size_t matmul_scratch(const MatMulArgs&) noexcept;
void matmul(const Level& level, const MatMulArgs&, const Context&) noexcept;
void batched_matmul(const MatMul&, const float* a, const float* b, float* y, const Context&) noexcept;

// conv.cpp
size_t conv_scratch(const ConvArgs&) noexcept;
void conv(const Level& level, const ConvArgs&, const Context&) noexcept;
// weight.data is plain [N, C / groups, kh, kw]; weight.n = N.
void grouped_conv(const ConvArgs&, int groups, const Context&) noexcept;

// attend.cpp
size_t attend_scratch(const AttendArgs&, int threads) noexcept;
void attend(const AttendArgs&, const Context&) noexcept;

// norm.cpp
void group_norm(const GroupNormArgs&, const Context&) noexcept;
void moments(Tensor x, int groups, float* y, const Context&) noexcept;
void layer_norm(const LayerNormArgs&, const Context&) noexcept;
void softmax(const float* x, int64_t rows, int64_t channels, float* y, const Context&) noexcept;
void reduce(const Reduce&, const float* x, float* y, const Context&) noexcept;

// element.cpp. The first four have the signatures of Level.
void apply(Function function, const float* x, float alpha, float beta, float* y, int64_t n) noexcept;
void geglu(const float* x, float* y, int64_t rows, int64_t columns) noexcept;
void add(const float* a, const float* b, float* y, int64_t n) noexcept;
void add_scaled(const float* x, const float* y, float scale, float* out, int64_t n) noexcept;
void add_masked(Tensor x, const float* y, float scale, Tensor mask, float* out, const Context&) noexcept;
void add_channel(Tensor x, Tensor channel, float* y, const Context&) noexcept;
void affine(Tensor x, const float* scale, const float* shift, float* y, const Context&) noexcept;
void binary(const Binary&, const float* a, const float* b, float* y, const Context&) noexcept;
void sinusoid(const Sinusoid&, Tensor x, float* y) noexcept;

// copy.cpp
// Lays x, `width` elements a row, into rows of y that are `step` elements apart: one input of a concat.
void copy_rows(const float* x, int64_t rows, int64_t width, int64_t step, float* y, const Context&) noexcept;
void rearrange(const Rearrange&, const float* x, float* y, const Context&) noexcept;
void pad(const Pad&, const float* x, float* y, const Context&) noexcept;
void embed(Tensor ids, const float* table, int64_t table_rows, int64_t width, float* y) noexcept;
void parameter(const float* weight, const Shape& shape, float* y) noexcept;
void take_token(Tensor x, const float* index, float* y) noexcept;

// window.cpp
void upsample(Tensor x, int64_t h, int64_t w, float* y, const Context&) noexcept;
void pool(const Pool&, Tensor x, float* y, const Context&) noexcept;
void resize(const Resize&, Tensor x, float* y, const Context&) noexcept;

}  // namespace ipa::cpu::naive
