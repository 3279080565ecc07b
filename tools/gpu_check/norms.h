#pragma once
// Norms, and sums of numbers: what memory bounds.
#include "check.h"
#include "work.h"

namespace ipa::gpu_check {

struct NormShape {
  enum Kind { group_silu, layer, add } kind;
  int images, rows, channels;
  double target;
  bool quick;
};
void measure_norm(Card& card, const Options& options, NormShape shape, Report& report);

}  // namespace ipa::gpu_check
