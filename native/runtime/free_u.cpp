#include "runtime/free_u.h"

#include <cmath>
#include <numbers>
#include <string>

#include "models/free_u.h"

namespace ipa {

namespace {

// A row per frequency and its two phases, over the grid. Frequency -1 of a side of one pixel is frequency 0, which is
// there already: its rows are 0.
std::vector<double> rows_of(int64_t h, int64_t w) {
  std::vector<double> rows;
  for (const int down : {0, -1})
    for (const int across : {0, -1}) {
      const bool there = (down != 0 && h == 1) || (across != 0 && w == 1);
      for (const bool sine : {false, true}) {
        if (sine && down == 0 && across == 0) continue;  // 0 everywhere
        for (int64_t y = 0; y < h; ++y)
          for (int64_t x = 0; x < w; ++x) {
            const double turns = static_cast<double>(down * y) / static_cast<double>(h) +
                                 static_cast<double>(across * x) / static_cast<double>(w);
            const double angle = 2 * std::numbers::pi * turns;
            rows.push_back(there ? 0 : sine ? std::sin(angle) : std::cos(angle));
          }
      }
    }
  return rows;
}

}  // namespace

void set_free_u(Prepared& step, const FreeU& how) {
  const Plan& plan = step.plan();
  for (size_t block = 0; block < kFreeUBlocks; ++block) {
    const std::string own = "free_u." + std::to_string(block) + ".";
    const auto gain = plan.inputs.find(own + "gain");
    if (gain == plan.inputs.end()) continue;  // not in this part of the network
    step.set(own + "gain", std::vector{static_cast<float>(how.b[block] - 1)});
    const Shape& grid = plan.values[static_cast<size_t>(plan.inputs.at(own + "to0"))].shape;
    const std::vector<double> rows = rows_of(grid.h, grid.w);
    const size_t pixels = static_cast<size_t>(grid.tokens());
    for (size_t k = 0; k < kFreeURows; ++k) {
      std::vector<float> to(pixels), from(pixels);
      for (size_t i = 0; i < pixels; ++i) {
        to[i] = static_cast<float>(rows[k * pixels + i] - 1);
        from[i] = static_cast<float>(rows[k * pixels + i] * (how.s[block] - 1));
      }
      step.set(own + "to" + std::to_string(k), to);
      step.set(own + "from" + std::to_string(k), from);
    }
  }
}

}  // namespace ipa
