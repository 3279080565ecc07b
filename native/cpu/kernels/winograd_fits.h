#pragma once
// Which convolutions winograd.cpp can compute, and which it computes faster than conv.cpp.
#include "cpu/kernels.h"
#include "cpu/kernels/vec.h"

namespace ipa::cpu::IPA_ISA {

// Any of stride and dilation 1.
IPA_INLINE bool winograd_takes(const ConvArgs& args) {
  return args.kernel_h == 3 && args.kernel_w == 3 && args.stride_h == 1 && args.stride_w == 1 && args.dilation_h == 1 &&
         args.dilation_w == 1 && !args.result.geglu;
}

// Of one picture.
IPA_INLINE int64_t winograd_tiles(const ConvArgs& args) { return ceil_div(args.out_h, 4) * ceil_div(args.out_w, 4); }

// Fewer channels: the transform of the image costs what the products save. Fewer tiles: that of the weights, worth
// `weight_tiles` tiles, does. Depends on the picture, not on how many are computed together, so that those do not
// change each other's numbers.
IPA_INLINE bool winograd_beats(const ConvArgs& args, int64_t channels, int64_t weight_tiles) {
  return args.c >= channels && 5 * (winograd_tiles(args) + weight_tiles) <= args.out_h * args.out_w;
}

// Whether each thread takes its own few tiles through all stages: where there are many of them and few channels. The
// weights are kept at the points then, and what lies between the stages stays in L2.
IPA_INLINE bool winograd_alone(const ConvArgs& args) { return args.c <= 256 && winograd_tiles(args) >= 1024; }

}  // namespace ipa::cpu::IPA_ISA
