#pragma once
// What a case gives and what of a result it keeps: inputs are stored or follow from `signals`; of a long output some
// token rows only may be stored.
#include <map>
#include <string>
#include <vector>

#include "core/tensor_index.h"
#include "golden.h"
#include "models/runner.h"
#include "runtime/network.h"

namespace ipa::golden {

struct Input {
  Dims dims;  // as in the case: NCHW, or [batch, tokens, width]
  std::vector<float> values;
};

// All inputs by their bare names.
std::map<std::string, Input> inputs(const test::Golden& g);

// The same of one, in our order as the engine's value.
Tensor input(const test::Golden& g, const std::string& name);

// Of `tokens` the rows that the case stores under `key`: all, those it lists, its first ones, or every fifth.
std::vector<float> stored_rows(const test::Golden& g, const std::string& key, const std::vector<float>& tokens,
                               int64_t batch);

}  // namespace ipa::golden
