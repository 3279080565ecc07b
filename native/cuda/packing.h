#pragma once
// Weights of products and convolutions from the file's order into that of the kernels. Work of the host.
#include <cstdint>

#include "core/dtype.h"

namespace ipa::cuda {

// The row of the file (n / 2 values, then n / 2 gates) that row i of a packed GEGLU weight holds: eight values, their
// eight gates, the next eight values, … so that a lane that has the sum of a value has that of its gate too. n is a
// multiple of 16.
int64_t geglu_row(int64_t i, int64_t n);

struct PackArguments {
  const void* from;  // [rows][channels][taps]; taps is kernel_h kernel_w, 1 for a linear layer
  DType type;        // f32, f16 or bf16
  void* to;
  DType to_type;  // f32, f16 or bf16
  int64_t rows, channels, taps;
  bool geglu = false;  // `from` has rows / 2 values, then their gates
};

// To [rows][taps][channels], as product and convolution read it: rows in the order of geglu_row where asked for. A
// block of eight values with their gates packs alone to its place, as if it were a whole weight.
void pack_rows(const PackArguments& arguments);

// A 3x3 weight as four of 2x2, to [4][rows][4 taps][channels], as convolution_doubled reads it: where each pixel is
// four, the taps of a row or column that meet the same one are summed, in f32 and in the order of the file. Number
// 2 y + x is for the result's pixels in line y of two, column x of two.
void pack_doubled(const PackArguments& arguments);

// To [taps][channels][rows], as convolution_direct reads it: neighbouring threads have neighbouring rows.
void pack_columns(const PackArguments& arguments);

}  // namespace ipa::cuda
