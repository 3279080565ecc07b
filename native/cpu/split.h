#pragma once
// Cuts a loop over the pool. The cut depends on the sizes only, never on the number of threads.
// trap: not for kernels/, whose code must not share inline functions with the rest (CMakeLists.txt).
#include <algorithm>
#include <cstdint>

#include "cpu/kernels.h"

namespace ipa::cpu {

inline constexpr int64_t kGrain = 16384;  // elements worth a part of their own, some 5 us of the lightest op

// f(from, to) over [0, count) in parts of `grain`; parts not begun when the stop flag is raised are left out.
template <typename F>
void split(const Context& c, int64_t count, int64_t grain, const F& f) noexcept {
  grain = std::max<int64_t>(grain, 1);
  const int64_t parts = (count + grain - 1) / grain;
  if (parts == 1) return f(int64_t{0}, count);
  c.pool.run(static_cast<int>(parts), [&](int part) {
    if (!c.stop.raised()) f(part * grain, std::min(count, (part + 1) * grain));
  });
}

// The same over rows of `width` elements each.
template <typename F>
void split_rows(const Context& c, int64_t rows, int64_t width, const F& f) noexcept {
  split(c, rows, kGrain / std::max<int64_t>(width, 1), f);
}

}  // namespace ipa::cpu
