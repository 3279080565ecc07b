#include "core/arena.h"

#include <cstring>
#include <string>

#include "core/error.h"
#include "core/system.h"

namespace ipa {

void AlignedFree::operator()(std::byte* p) const noexcept { system::give_memory(p); }

Arena allocate(size_t bytes, bool zero) {
  constexpr size_t kHuge = 2u << 20;  // bytes of a huge page on x86-64 and ARM64
  const size_t alignment = bytes >= kHuge ? kHuge : 64;
  const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* p = system::take_memory(alignment, rounded ? rounded : alignment);
  if (!p)
    fail(Code::HOST_OUT_OF_MEMORY, "the host refused " + std::to_string(bytes) + " bytes",
         "close other programs, make the picture smaller, or use a machine with more memory",
         {{"needed", std::to_string(bytes)}});
  if (alignment == kHuge) system::advise_huge_pages(p, rounded);
  if (zero) std::memset(p, 0, rounded);
  return Arena(static_cast<std::byte*>(p));
}

void populate(std::byte* from, size_t bytes) noexcept { system::fill_pages(from, bytes); }

}  // namespace ipa
