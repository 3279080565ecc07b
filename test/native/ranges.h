#pragma once
// Whatever a source does to a file's bytes, a part of a tensor is that part of the whole.
#include <algorithm>
#include <string>
#include <vector>

#include "core/tensor_index.h"
#include "test.h"

namespace ipa::test {

inline void expect_ranges(const TensorSource& source) {
  for (const auto& [name, info] : source.index) {
    const size_t each = dtype_size(info.dtype), count = static_cast<size_t>(product(info.dims));
    if (each == 0) continue;  // types that are listed and never read
    std::vector<std::byte> whole(count * each), pieces(count * each);
    source.read(name, 0, whole);
    const size_t step = count > 64 ? count / 7 + 1 : 1;  // elements; uneven on purpose
    for (size_t at = 0; at < count; at += step)
      source.read(name, at * each, std::span(pieces).subspan(at * each, std::min(step, count - at) * each));
    if (pieces != whole) failed(__FILE__, __LINE__, source.label + ": " + name + " read in pieces is another tensor");
  }
}

}  // namespace ipa::test
