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

// Fewer channels: the transform of the image costs what the products save. Fewer tiles: that of the weights, worth
// `weight_tiles` tiles, does. Depends on the picture, not on how many are computed together, so that those do not
// change each other's numbers.
IPA_INLINE bool winograd_beats(const ConvArgs& args, int64_t channels, int64_t weight_tiles) {
  const int64_t tiles = ceil_div(args.out_h, 4) * ceil_div(args.out_w, 4);
  return args.c >= channels && 5 * (tiles + weight_tiles) <= args.out_h * args.out_w;
}

}  // namespace ipa::cpu::IPA_ISA
