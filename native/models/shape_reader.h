#pragma once
// Asks a tensor index for shapes and says clearly what is missing or odd. For configs.cpp and adapters.cpp.
#include <climits>
#include <initializer_list>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/tensor_index.h"

namespace ipa {

class ShapeReader {
 public:
  // `prefix` precedes every name asked for; `what` is the model in messages: "a UNet".
  ShapeReader(const TensorIndex& index, std::string prefix, std::string what)
      : index_(index), prefix_(std::move(prefix)), what_(std::move(what)) {}

  bool has(std::string_view name) const { return index_.contains(prefix_ + std::string(name)); }
  bool has_prefix(std::string_view start) const {
    const std::string full = prefix_ + std::string(start);
    const auto at = index_.lower_bound(full);
    return at != index_.end() && at->first.starts_with(full);
  }

  // Shape of a tensor that must have `rank` dimensions, each an int above 0.
  const Dims& dims(std::string_view name, size_t rank) const {
    const std::string full = prefix_ + std::string(name);
    const auto at = index_.find(full);
    if (at == index_.end())
      fail(Code::TENSOR_MISSING, "tensor " + quoted(full) + " is missing",
           "every file of " + what_ + " has it; the file may be another kind of model or cut short",
           {{"tensor", full}});
    const Dims& found = at->second.dims;
    bool fits = found.size() == rank;
    for (int64_t d : found) fits = fits && d > 0 && d <= INT_MAX;
    if (!fits)
      fail(Code::TENSOR_SHAPE,
           quoted(full) + ": expected " + std::to_string(rank) + " dimensions, file has " + text(found),
           "the file is damaged or no file of " + what_, {{"tensor", full}, {"found", text(found)}});
    return found;
  }
  int dim(std::string_view name, size_t rank, size_t axis) const { return static_cast<int>(dims(name, rank)[axis]); }

  // How many of start0end, start1end, start2end ... there are.
  int count(std::string_view start, std::string_view end) const {
    int n = 0;
    while (has(std::string(start) + std::to_string(n) + std::string(end))) ++n;
    return n;
  }

  const std::string& what() const { return what_; }

 private:
  const TensorIndex& index_;
  std::string prefix_, what_;
};

}  // namespace ipa
