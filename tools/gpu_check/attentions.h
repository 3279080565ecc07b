#pragma once
// Attention at the shapes of both networks.
#include <vector>

#include "check.h"
#include "work.h"

namespace ipa::gpu_check {

struct AttentionShape {
  int images, heads, queries, head;
  std::vector<int> keys;  // of the terms of a cross-attention; none: the queries' own tokens
  double target;
  bool quick;
};
void measure_attention(Card& card, const Options& options, AttentionShape shape, Report& report);

}  // namespace ipa::gpu_check
