// Memory for weights and activations: alignment, zeros, and pages that are given before they are touched.
#include "core/arena.h"

#include <algorithm>
#include <cstdint>

#include "test.h"

TEST("an arena is aligned and zeroed when asked, and may be had of any size") {
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{100}, size_t{3} << 20}) {
    const ipa::Arena arena = ipa::allocate(bytes, true);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(arena.get()) % 64, uintptr_t{0});
    EXPECT(std::all_of(arena.get(), arena.get() + bytes, [](std::byte b) { return b == std::byte{0}; }));
  }
}

TEST("giving pages to a part of an arena changes no byte of it, wherever the part begins") {
  constexpr size_t kBytes = size_t{5} << 20;
  const ipa::Arena arena = ipa::allocate(kBytes);
  for (size_t i = 0; i < kBytes; i += 2) arena[i] = std::byte(i / 4096 % 251);
  for (const size_t first : {size_t{0}, size_t{1}, size_t{4096}, size_t{1} << 20, kBytes - 1})
    ipa::populate(arena.get() + first, kBytes - first);
  bool same = true;
  for (size_t i = 0; i < kBytes; i += 2) same &= arena[i] == std::byte(i / 4096 % 251);
  EXPECT(same);
}
