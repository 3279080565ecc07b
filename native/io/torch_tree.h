#pragma once
// From the values of a checkpoint's pickle to named tensors, each checked against its storage.
#include <map>
#include <string>

#include "core/tensor_index.h"
#include "io/file.h"
#include "io/pickle.h"

namespace ipa {

// One tensor inside the storage `key`. offset and stride are in elements; the last element lies inside `count`.
struct TorchView {
  std::string key;
  TensorInfo info;
  Dims stride;
  int64_t offset = 0;
  int64_t span = 0;  // elements from the first to the last, 0 for an empty tensor
};

struct TorchStorage {
  DType dtype = DType::u8;
  int64_t count = 0;  // elements
  std::string user;   // a tensor that uses it, for messages
};

struct TorchTree {
  std::string nesting;  // "state_dict." and the like
  std::map<std::string, TorchView, std::less<>> views;
  std::map<std::string, TorchStorage, std::less<>> storages;  // those that the views use
};

TorchTree torch_tree(const File& file, const Pickle& pickle);

// Bytes of `view` from its element `first` on, gathered from `from`, which starts at its element 0 and holds `span`
// elements.
void gather(const TorchView& view, std::span<const std::byte> from, uint64_t first, std::span<std::byte> out);
bool is_contiguous(const TorchView& view);

}  // namespace ipa
