#pragma once
// The vocabulary: one struct per operation, its shape rule beside it. models/ records these, cpu/ and cuda/ run them;
// they meet nowhere else. Every value is f32 [N, H, W, C] unless its ValueInfo says otherwise.
#include <cstdint>
#include <variant>
#include <vector>

#include "core/shape.h"

namespace ipa {

using ValueId = int32_t;  // index into Plan::values
using SlotId = int32_t;   // index into Plan::weights
inline constexpr int32_t kNone = -1;

// Element functions. gelu is the erf form, quick_gelu is x * sigmoid(1.702 x); leaky_relu uses `alpha`, clip uses
// [alpha, beta]; the others take no parameter.
enum class Function : uint8_t {
  identity,
  relu,
  leaky_relu,
  silu,
  gelu,
  quick_gelu,
  sigmoid,
  tanh,
  exp,
  sqrt,
  abs,
  neg,
  clip,
  floor,
  ceil
};

// What a producer does to its result before storing it, filled by fold.cpp:
// y = function(acc + bias + channel) (geglu instead of function: value * gelu(gate)), then + residual.
struct Epilogue {
  Function function = Function::identity;  // identity, relu, silu, gelu or quick_gelu
  bool geglu = false;                      // halves the channels: first half the value, second half the gate
  ValueId channel = kNone;                 // [N, 1, 1, C] or [1, 1, 1, C], added to every pixel
  ValueId residual = kNone;                // shape of y
};

// x [N,H,W,Cin] (*) W [Cout, Cin/groups, kh, kw] -> [N, Ho, Wo, Cout]; Ho = (Hv + pads - dilation (kh-1) - 1)/stride
// + 1. Hv, Wv is the size of x, or `virtual_h`, `virtual_w` when a nearest upsample to that size is folded in.
struct Conv2d {
  ValueId x;
  SlotId weight, bias;  // bias may be kNone
  int out = 0;          // channels
  int kernel_h = 3, kernel_w = 3, stride_h = 1, stride_w = 1;
  int pad_top = 1, pad_left = 1, pad_bottom = 1, pad_right = 1;
  int dilation_h = 1, dilation_w = 1, groups = 1;
  int64_t virtual_h = 0, virtual_w = 0;  // 0: no upsample folded in
  Epilogue epilogue = {};
};

// x [.., K] . W [M, K]^T (+ bias) -> [.., M]; W is packed when loaded
struct Linear {
  ValueId x;
  SlotId weight, bias;  // bias may be kNone
  int out = 0;          // features; with epilogue.geglu the result has out / 2
  Epilogue epilogue = {};
};

// Statistics per sample over (C/groups) H W elements, biased variance, f32; then scale, shift, function. -> shape of x
// `moments`: x is some rows of a picture whose statistics count, all rows of it.
struct GroupNorm {
  ValueId x;
  SlotId weight, bias;
  int groups = 32;
  float eps = 1e-5f;
  Function function = Function::identity;  // identity or silu
  ValueId moments = kNone;                 // [N, rows, 1, 2 groups]
};

// x [N,H,W,C] -> [N, H, 1, 2 groups]: of every row, group after group, the mean of its numbers and the sum of their
// squared deviations from it
struct Moments {
  ValueId x;
  int groups;
};

// Over C of every token. -> shape of x
struct LayerNorm {
  ValueId x;
  SlotId weight, bias;
  float eps = 1e-5f;
};

// One set of keys and values. Its result is multiplied by row[cell] (kNone: by 1) and by the mask [1|N, H, W, 1].
struct AttendTerm {
  ValueId k, v;         // [N|1, 1, T, C]
  ValueId row = kNone;  // the run's scale row [1, 1, 1, cells]
  int cell = 0;         // which number of the row; 0.0 there skips the term, exactly
  ValueId mask = kNone;
};

// y = sum over terms of scale * mask * softmax(q k^T * factor) v, each term with its own softmax. Heads are contiguous
// slices of C. q [N, H, W, C] -> [N, H, W, C]. `causal`: query i sees keys <= i (one term only).
struct Attend {
  ValueId q;
  std::vector<AttendTerm> terms;
  int heads = 1;
  float factor = 0;  // 0: 1 / sqrt(C / heads)
  bool causal = false;
};

// y = function(x) per element; -> shape of x
struct Apply {
  ValueId x;
  Function function = Function::identity;
  float alpha = 0, beta = 0;
};

// x [.., 2C] -> value * gelu(gate) [.., C]
struct Geglu {
  ValueId x;
};

// a [N,H,W,C] + b, b of a's shape or [1, H, W, C] (the same for every sample)
struct Add {
  ValueId a, b;
};

// x [N,H,W,C] + channel [N|1, 1, 1, C]
struct AddChannel {
  ValueId x, channel;
};

// x + row[cell] * mask * y; row kNone: 1, mask kNone: 1. A 0.0 in the row returns x exactly.
struct AddScaled {
  ValueId x, y;
  ValueId row = kNone;  // [1, 1, 1, cells]
  int cell = 0;
  ValueId mask = kNone;  // [1|N, H, W, 1]
};

// Joined along channels (axis 3), tokens (axis 2; H is 1) or rows (axis 1). All other sizes equal.
struct Concat {
  std::vector<ValueId> xs;
  int axis = 3;
};

// Nearest, source index floor(i * in / out) -> [N, h, w, C]
struct Upsample {
  ValueId x;
  int64_t h, w;
};

// ids [N, 1, T, 1] (whole numbers) -> rows of a table [V, C] -> [N, 1, T, C]
struct Embed {
  ValueId ids;
  SlotId table;
};

// A weight as a value, repeated over the batch: -> [n, 1, T, C] for a weight whose product is T * C
struct Parameter {
  SlotId weight;
  Shape shape;
};

// x [N,1,1,K] -> [N,1,1,K*width]: per number cos(x f_i) for the first half, sin for the second (sin_first: swapped),
// f_i = exp(-ln(10000) i / divisor), i < width/2
struct Sinusoid {
  ValueId x;
  int width;
  bool sin_first = false;
  int divisor;  // width/2 for timesteps, width/2 - 1 for the guidance embedding
};

// x [N, H, W, C], index [N, 1, 1, 1] -> token number index[n] of sample n: [N, 1, 1, C]
struct TakeToken {
  ValueId x, index;
};

// General strided copy: out[i0, i1, ...] = x[offset + sum i_k * strides[k]] over dims (row-major). Elements, not bytes.
// Transposes, slices, broadcasts and reshapes of ONNX graphs. -> shape, product(dims) = shape.size()
struct Rearrange {
  ValueId x;
  Dims dims, strides;
  int64_t offset = 0;
  Shape shape;
};

// x over dims (row-major) framed by `value`: out dims[k] + before[k] + after[k]. Negative numbers are not allowed.
struct Pad {
  ValueId x;
  Dims dims, before, after;
  float value = 0;
  Shape shape;
};

enum class BinaryKind : uint8_t { add, sub, mul, div, pow, prelu, min, max };  // prelu: a < 0 ? a * b : a

// out[i] = kind(a[i . strides_a], b[i . strides_b]) over dims (stride 0 broadcasts)
struct Binary {
  ValueId a, b;
  BinaryKind kind;
  Dims dims, strides_a, strides_b;
  Shape shape;
};

// x * scale[c] + shift[c]: batch normalisation with its statistics folded in. -> shape of x
struct Affine {
  ValueId x;
  SlotId scale, shift;
};

// Windows over H, W -> [N, Ho, Wo, C]; Ho, Wo are given (ceil mode may let windows start inside and end outside).
struct Pool {
  ValueId x;
  bool maximum;
  bool include_pad = false;  // average: padding counts as zeros
  int kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left, pad_bottom, pad_right;
  int64_t out_h, out_w;
};

enum class ResizeMode : uint8_t { nearest, linear };
enum class ResizeCoordinates : uint8_t { half_pixel, pytorch_half_pixel, asymmetric, align_corners };
enum class ResizeRounding : uint8_t { round_prefer_floor, round_prefer_ceil, floor, ceil };

// ONNX Resize over H and W -> [N, h, w, C]. scale_h, scale_w: out / in as the graph gives them.
struct Resize {
  ValueId x;
  int64_t h, w;
  float scale_h, scale_w;
  ResizeMode mode;
  ResizeCoordinates coordinates;
  ResizeRounding rounding = ResizeRounding::round_prefer_floor;
};

// Over C of every row, f32. -> shape of x
struct Softmax {
  ValueId x;
};

enum class ReduceKind : uint8_t { mean, sum, max, l2 };

// x seen as [outer, count, inner] -> [outer, inner], given `shape`
struct Reduce {
  ValueId x;
  ReduceKind kind;
  int64_t outer, count, inner;
  Shape shape;
};

// a [batch, M, K] . b [batch, K, N] -> [batch, 1, M, N]; both are values. batch 1 of either side repeats.
struct MatMul {
  ValueId a, b;
  int64_t batch_a, batch_b, m, k, n;
};

using Op = std::variant<Conv2d, Linear, GroupNorm, Moments, LayerNorm, Attend, Apply, Geglu, Add, AddChannel, AddScaled,
                        Concat, Upsample, Embed, Parameter, Sinusoid, TakeToken, Rearrange, Pad, Binary, Affine, Pool,
                        Resize, Softmax, Reduce, MatMul>;

const char* op_name(const Op& op);

// Calls f(ValueId&) for every value the op reads; for_each_slot does the same for the weights it names.
template <typename F>
void for_each_input(Op& op, F&& f);
template <typename F>
void for_each_input(const Op& op, F&& f) {
  for_each_input(const_cast<Op&>(op), [&](ValueId& id) { f(static_cast<ValueId>(id)); });
}

template <typename F>
void for_each_slot(Op& op, F&& f);
template <typename F>
void for_each_slot(const Op& op, F&& f) {
  for_each_slot(const_cast<Op&>(op), [&](SlotId& id) { f(static_cast<SlotId>(id)); });
}

// ---- the walks, kept beside the structs so that a new op cannot forget it ----

template <class... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <typename... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;  // clang 16 does not find it by itself

template <typename F>
void for_each_input(Op& op, F&& f) {
  const auto some = [&](ValueId& id) {
    if (id != kNone) f(id);
  };
  const auto epilogue = [&](Epilogue& e) {
    some(e.channel);
    some(e.residual);
  };
  std::visit(Overloaded{
                 [&](Conv2d& o) { some(o.x), epilogue(o.epilogue); },
                 [&](Linear& o) { some(o.x), epilogue(o.epilogue); },
                 [&](GroupNorm& o) { some(o.x), some(o.moments); },
                 [&](Moments& o) { some(o.x); },
                 [&](LayerNorm& o) { some(o.x); },
                 [&](Attend& o) {
                   some(o.q);
                   for (AttendTerm& t : o.terms) some(t.k), some(t.v), some(t.row), some(t.mask);
                 },
                 [&](Apply& o) { some(o.x); },
                 [&](Geglu& o) { some(o.x); },
                 [&](Add& o) { some(o.a), some(o.b); },
                 [&](AddChannel& o) { some(o.x), some(o.channel); },
                 [&](AddScaled& o) { some(o.x), some(o.y), some(o.row), some(o.mask); },
                 [&](Concat& o) {
                   for (ValueId& x : o.xs) some(x);
                 },
                 [&](Upsample& o) { some(o.x); },
                 [&](Embed& o) { some(o.ids); },
                 [&](Parameter&) {},
                 [&](Sinusoid& o) { some(o.x); },
                 [&](TakeToken& o) { some(o.x), some(o.index); },
                 [&](Rearrange& o) { some(o.x); },
                 [&](Pad& o) { some(o.x); },
                 [&](Binary& o) { some(o.a), some(o.b); },
                 [&](Affine& o) { some(o.x); },
                 [&](Pool& o) { some(o.x); },
                 [&](Resize& o) { some(o.x); },
                 [&](Softmax& o) { some(o.x); },
                 [&](Reduce& o) { some(o.x); },
                 [&](MatMul& o) { some(o.a), some(o.b); },
             },
             op);
}

template <typename F>
void for_each_slot(Op& op, F&& f) {
  const auto some = [&](SlotId& id) {
    if (id != kNone) f(id);
  };
  std::visit(
      [&](auto& o) {
        if constexpr (requires { o.weight; }) some(o.weight);
        if constexpr (requires { o.bias; }) some(o.bias);
        if constexpr (requires { o.table; }) some(o.table);
        if constexpr (requires { o.scale, o.shift; }) some(o.scale), some(o.shift);
      },
      op);
}

}  // namespace ipa
