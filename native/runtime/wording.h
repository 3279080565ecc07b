#pragma once
// Texts of a run that change from step to step or are summed: K and V of every distinct one are computed once and kept;
// each call brings those of its rows into the step plan, which stays as it is.
#include <vector>

#include "runtime/network.h"

namespace ipa {

// One text as a UNet is told it. The positive and the negative one may have other sizes.
struct Condition {
  Tensor context;               // [1, 1, T, D]
  Tensor pooled;                // SDXL: [1, 1, 1, P]
  std::vector<float> time_ids;  // SDXL
};

// Which condition every row of the batch reads, call by call.
using RowChoices = std::vector<std::vector<size_t>>;

class Wording {
 public:
  Wording(Network& unet, const Prepared& step, const std::vector<Condition>& conditions, RowChoices choices,
          const StopFlag& stop);

  // Brings what the rows of this call read; what is there already stays.
  void bring(size_t call);

 private:
  struct Input {
    Place to;       // of the step plan: its first row
    size_t offset;  // of the same input among the numbers of a condition
    size_t bytes;   // of one row
  };

  const Backend& backend_;
  RowChoices choices_;
  std::vector<Input> inputs_;  // <site>.text_k, <site>.text_v
  size_t bytes_ = 0;           // of one condition
  Memory memory_;              // conditions one behind the other
  std::vector<size_t> there_;  // what each row of the step plan holds
  std::vector<Copy> copies_;   // of one call
};

}  // namespace ipa
