#pragma once
// A weight file seen under other names: what every table in names/ turns into.
#include <string>
#include <string_view>
#include <vector>

#include "core/tensor_index.h"

namespace ipa {

// Tensor `to` is `from`, or rows [first_row, first_row + rows) of it, or its transpose [a, b] -> [b, a].
struct Rename {
  std::string to, from;
  int64_t first_row = 0, rows = 0;  // rows 0: all
  bool transpose = false;
  Dims dims = {};  // the shape to show, with as many numbers; empty: as it comes
};

// The source with the tensors of `renames` and no others. Rows of a fused tensor are read again for each part.
// TENSOR_SHAPE when rows, transpose or dims do not suit what the file has.
TensorSource renamed(TensorSource source, const std::vector<Rename>& renames);

// Only the tensors whose names begin with `prefix`, without it.
TensorSource within(TensorSource source, const std::string& prefix);

// Every name with `prefix` before it.
TensorSource below(TensorSource source, const std::string& prefix);

// Tensor `to` is the rows of `parts`, one part after another.
struct RowJoin {
  std::string to;
  std::vector<std::string> parts;
};
// The source with these tensors in place of their parts. TENSOR_SHAPE when rows differ in length. Parts of several
// types come as f32.
TensorSource joined(TensorSource source, const std::vector<RowJoin>& joins);

bool has_prefix(const TensorIndex& index, std::string_view start);
// "down_blocks." + 3 + ".resnets"
std::string numbered(std::string_view start, int i, std::string_view end = "");
// How many of start0end, start1end ... are the beginning of a name.
int count_prefixes(const TensorIndex& index, std::string_view start, std::string_view end = ".");

}  // namespace ipa
