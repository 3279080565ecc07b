#pragma once
// Linear layers that one launch makes: they stand next to one another in the plan, multiply the same value by weights
// of one size and differ in nothing but weight, bias and result. attn1's to_q, to_k, to_v; a site's K and V of one
// text.
#include <vector>

#include "cuda/backend/fusion.h"

namespace ipa::cuda {

// By node: how many nodes from it on are made together, 0 for those that one before them makes.
std::vector<int> made_together(const Plan& plan, const Fusion& fusion, const std::vector<Stored>& stored);

}  // namespace ipa::cuda
