#pragma once
// From ops to the argument structs of kernels.h.
#include <cmath>
#include <vector>

#include "cpu/steps.h"

namespace ipa::cpu {

inline ResultPath result_path(const Site& s, const Epilogue& e, SlotId bias) {
  ResultPath r{s.result(), s.weight(bias), s.at(e.channel), 0, s.at(e.residual), e.function, e.geglu};
  if (e.channel != kNone && s.shape(e.channel).n > 1) r.channel_step = s.shape(e.channel).c;
  return r;
}

inline MatMulArgs matmul_args(const Site& s, const Linear& op) {
  const Shape& x = s.shape(op.x);
  return {s.at(op.x), x.rows(), s.matrix(op.weight, x.c, op.out), x.tokens(), result_path(s, op.epilogue, op.bias)};
}

// A 1x1 convolution is a matrix product over the pixels.
inline bool is_matmul(const Conv2d& op) {
  return op.kernel_h == 1 && op.kernel_w == 1 && op.stride_h == 1 && op.stride_w == 1 && !op.pad_top && !op.pad_left &&
         !op.pad_bottom && !op.pad_right && !op.virtual_h && op.groups == 1;
}

inline MatMulArgs matmul_args(const Site& s, const Conv2d& op) {
  return matmul_args(s, Linear{op.x, op.weight, op.bias, op.out, op.epilogue});
}

inline ConvArgs conv_args(const Site& s, const Conv2d& op) {
  const Shape &x = s.shape(op.x), &y = s.shape(s.node.output);
  const int64_t k = x.c / op.groups * op.kernel_h * op.kernel_w;
  return {s.at(op.x),
          x.n,
          x.h,
          x.w,
          x.c,
          op.virtual_h ? op.virtual_h : x.h,
          op.virtual_w ? op.virtual_w : x.w,
          op.kernel_h,
          op.kernel_w,
          op.stride_h,
          op.stride_w,
          op.pad_top,
          op.pad_left,
          op.dilation_h,
          op.dilation_w,
          y.h,
          y.w,
          s.matrix(op.weight, k, op.out),
          result_path(s, op.epilogue, op.bias)};
}

inline GroupNormArgs group_norm_args(const Site& s, const GroupNorm& op) {
  const Shape& x = s.shape(op.x);
  GroupNormArgs args{s.at(op.x), s.weight(op.weight), s.weight(op.bias), x.n, x.tokens(), x.c, op.groups,
                     op.eps,     op.function,         s.result()};
  if (op.moments != kNone) args.moments = s.at(op.moments), args.rows = s.shape(op.moments).h, args.width = x.w;
  return args;
}

inline LayerNormArgs layer_norm_args(const Site& s, const LayerNorm& op) {
  const Shape& x = s.shape(op.x);
  return {s.at(op.x), s.weight(op.weight), s.weight(op.bias), x.rows(), x.c, op.eps, s.result()};
}

inline std::vector<AttendTermArgs> attend_terms(const Site& s, const Attend& op) {
  std::vector<AttendTermArgs> terms;
  for (const AttendTerm& t : op.terms) {
    const Shape& keys = s.shape(t.k);
    AttendTermArgs a{s.at(t.k),    s.at(t.v), keys.n == 1 ? 0 : keys.tokens() * keys.c, keys.tokens(), nullptr,
                     s.at(t.mask), 0};
    if (t.row != kNone) a.scale = s.at(t.row) + t.cell;
    if (t.mask != kNone && s.shape(t.mask).n > 1) a.mask_step = s.shape(t.mask).tokens();
    terms.push_back(a);
  }
  return terms;
}

// The terms are the caller's: they must outlive the arguments.
inline AttendArgs attend_args(const Site& s, const Attend& op, const std::vector<AttendTermArgs>& terms) {
  const Shape& q = s.shape(op.q);
  const int64_t d = q.c / op.heads;
  const float factor = op.factor != 0 ? op.factor : 1 / std::sqrt(static_cast<float>(d));
  return {s.at(op.q), q.n, q.tokens(), op.heads, d, factor, op.causal, terms.data(), static_cast<int>(terms.size()),
          s.result()};
}

}  // namespace ipa::cpu
