#pragma once
// Weights on their way from the file to their packed form, a block of rows at a time: what one thread reads, checks and
// packs while it stays in the cache. The size of a block is also how soon loading notices that it should stop.
#include <vector>

#include "core/arena.h"
#include "core/tensor_index.h"
#include "plan/backend.h"

namespace ipa {

// Rows [first, first + rows) of pack_rows(want). The tensor keeps its place in the index, the want in the store.
struct Block {
  const WeightWant* want;
  const TensorInfo* info;
  int64_t first, rows;
  size_t elements, bytes;  // bytes of the file
  DType stored;            // as what it is kept
  Place to;                // where the whole weight lies
};

// All of one weight in order. One block where the file has the tensor scattered or the backend wants it at once.
void add_blocks(const Backend& backend, const WeightWant& want, const TensorInfo& info, DType stored, Place to,
                std::vector<Block>& blocks);

// The memory of one thread, for any of `blocks`.
class BlockLoader {
 public:
  BlockLoader(const Backend& backend, const TensorSource& source, const std::vector<Block>& blocks);
  // TENSOR_NONFINITE, unless allowed; TENSOR_DTYPE; what reading the file throws.
  void load(const Block& block, bool allow_nonfinite);

 private:
  const Backend& backend_;
  const TensorSource& source_;
  Arena raw_, widened_;
};

}  // namespace ipa
