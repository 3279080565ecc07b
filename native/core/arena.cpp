#include "core/arena.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "core/error.h"

namespace ipa {

void AlignedFree::operator()(std::byte* p) const noexcept { std::free(p); }

Arena allocate(size_t bytes, bool zero) {
  constexpr size_t kHuge = 2u << 20;  // bytes of a huge page on x86-64 and ARM64
  const size_t alignment = bytes >= kHuge ? kHuge : 64;
  const size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* p = std::aligned_alloc(alignment, rounded ? rounded : alignment);
  if (!p)
    fail(Code::HOST_OUT_OF_MEMORY, "the host refused " + std::to_string(bytes) + " bytes",
         "close other programs, make the picture smaller, or use a machine with more memory",
         {{"needed", std::to_string(bytes)}});
#if defined(__linux__)
  if (alignment == kHuge) madvise(p, rounded, MADV_HUGEPAGE);  // advice only: a refusal costs a few percent
#endif
  if (zero) std::memset(p, 0, rounded);
  return Arena(static_cast<std::byte*>(p));
}

void populate([[maybe_unused]] std::byte* from, [[maybe_unused]] size_t bytes) noexcept {
#if defined(__linux__)
  constexpr int kPopulateWrite = 23;                // MADV_POPULATE_WRITE, since Linux 5.14
  constexpr uintptr_t kPage = uintptr_t{64} << 10;  // the largest usual size
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(from) + kPage - 1) / kPage * kPage;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(from) + bytes) / kPage * kPage;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, kPopulateWrite);
#endif
}

}  // namespace ipa
