#pragma once
// Memory for activations and weights: aligned, with huge pages advised, given back by RAII.
#include <cstddef>
#include <memory>

namespace ipa {

struct AlignedFree {
  void operator()(std::byte* p) const noexcept;
};

// `bytes` of memory aligned to 64, zeroed when `zero`. Throws HOST_OUT_OF_MEMORY. Large blocks advise huge pages.
using Arena = std::unique_ptr<std::byte[], AlignedFree>;
Arena allocate(size_t bytes, bool zero = false);

// Has the system find and clear the pages of a part of an arena now, by this thread. Where it cannot, it does so as the
// pages are touched.
void populate(std::byte* from, size_t bytes) noexcept;

}  // namespace ipa
