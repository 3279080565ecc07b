// Masks on grids, beyond the cases of the golden runner.
#include "image/mask_grid.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "test.h"

namespace {

using namespace ipa;

RegionMask flat(int width, int height, float value, MaskMode mode) {
  return {width, height, std::vector<float>(static_cast<size_t>(width) * static_cast<size_t>(height), value), mode};
}

constexpr MaskMode kModes[] = {MaskMode::linear, MaskMode::diffusers, MaskMode::comfy};
constexpr GridSize kOddGrids[] = {{9, 14}, {5, 7}, {3, 4}, {2, 2}, {1, 1}, {1, 13}, {17, 1}};

TEST("mask_grid: white stays white to the bit, black black, on grids of any size") {
  for (const auto& [width, height] : {std::pair{112, 72}, {37, 23}, {1, 1}, {3, 500}})
    for (const GridSize grid : kOddGrids) {
      const size_t tokens = static_cast<size_t>(grid.height * grid.width);
      EXPECT_EQ(mask_grid(flat(width, height, 1, MaskMode::linear), {9, 14}, grid) == std::vector<float>(tokens, 1),
                true);
      for (const MaskMode mode : kModes)
        EXPECT_EQ(mask_grid(flat(width, height, 0, mode), {9, 14}, grid) == std::vector<float>(tokens, 0), true);
    }
}

TEST("mask_grid: white is white in every mode where the reference finds the grid") {
  for (const MaskMode mode : kModes)
    for (const GridSize grid : {GridSize{18, 28}, {9, 14}, {5, 7}})
      EXPECT_EQ(mask_grid(flat(224, 144, 1, mode), {18, 28}, grid) ==
                    std::vector<float>(static_cast<size_t>(grid.height * grid.width), 1),
                true);
}

TEST("mask_grid: a mask of the grid's size is taken as it is, a ramp stays a ramp") {
  RegionMask mask = flat(7, 5, 0, MaskMode::linear);
  for (size_t i = 0; i < mask.data.size(); ++i) mask.data[i] = static_cast<float>(i) / 40;
  EXPECT_EQ(mask_grid(mask, {5, 7}, {5, 7}) == mask.data, true);

  RegionMask ramp = flat(45, 31, 0, MaskMode::linear);
  const auto at = [](double x, double y) { return static_cast<float>(x / 60 + y / 120); };
  for (int y = 0; y < 31; ++y)
    for (int x = 0; x < 45; ++x) ramp.data[static_cast<size_t>(y * 45 + x)] = at(x, y);
  for (const GridSize grid : kOddGrids) {
    std::vector<float> want;  // half-pixel centres
    for (int64_t y = 0; y < grid.height; ++y)
      for (int64_t x = 0; x < grid.width; ++x)
        want.push_back(at((static_cast<double>(x) + 0.5) * 45 / static_cast<double>(grid.width) - 0.5,
                          (static_cast<double>(y) + 0.5) * 31 / static_cast<double>(grid.height) - 0.5));
    EXPECT_CLOSE(mask_grid(ramp, {17, 14}, grid), want, 1e-6, "ramp");  // greys are f32
  }
}

TEST("mask_grid: diffusers sees black and white, sides a multiple of 8, and may leave 0..1") {
  const float below = std::nextafter(0.5f, 0.0f);
  EXPECT_EQ(black_and_white(flat(8, 8, below, MaskMode::diffusers)).data[0], 0.0f);
  EXPECT_EQ(black_and_white(flat(8, 8, 0.5f, MaskMode::diffusers)).data[0], 1.0f);
  for (const auto& [side, want] : {std::pair{7, 8}, {8, 8}, {15, 8}, {23, 16}}) {
    const RegionMask resized = black_and_white(flat(side, side, 1, MaskMode::diffusers));
    EXPECT_EQ(resized.width, want);
    EXPECT_EQ(resized.data.size(), static_cast<size_t>(want * want));
  }
  RegionMask edge = flat(8, 8, 0, MaskMode::diffusers);
  for (size_t i = 0; i < edge.data.size(); ++i) edge.data[i] = i % 8 < 4 ? 1.0f : 0.0f;
  const std::vector<float> grid = mask_grid(edge, {16, 16}, {16, 16});
  EXPECT(*std::ranges::max_element(grid) > 1.05f && *std::ranges::min_element(grid) < -0.05f);
}

TEST("mask_grid: where the references guess another grid, zeros stand at the end or on both sides") {
  // 7 x 3 tokens of a picture 28 : 9 pass for 9 x 2: three are left over.
  const auto zeros = [](MaskMode mode) {
    const std::vector<float> grid = mask_grid(flat(72, 224, 1, mode), {28, 9}, {7, 3});
    EXPECT_EQ(std::ranges::count(grid, 1.0f), 18);
    return std::vector<bool>{grid[0] == 0, grid[1] == 0, grid[18] == 0, grid[19] == 0, grid[20] == 0};
  };
  EXPECT_EQ(zeros(MaskMode::diffusers) == (std::vector{false, false, true, true, true}), true);
  EXPECT_EQ(zeros(MaskMode::comfy) == (std::vector{true, false, false, true, true}), true);
}

TEST("mask_grid: a mask that does not hold what its sides say, or a value outside 0..1, is refused") {
  const GridSize grid{4, 4};
  RegionMask mask = flat(8, 8, 1, MaskMode::linear);
  mask.data.pop_back();
  EXPECT_CODE(mask_grid(mask, grid, grid), Code::OPTION_RANGE);
  EXPECT_CODE(mask_grid(RegionMask{}, grid, grid), Code::OPTION_RANGE);
  EXPECT_CODE(check_mask({-8, -8, std::vector<float>(64), MaskMode::comfy}), Code::OPTION_RANGE);
  for (const float bad : {-0.01f, 1.01f, 255.0f, std::numeric_limits<float>::quiet_NaN()}) {
    mask = flat(8, 8, 1, MaskMode::linear), mask.data[40] = bad;
    EXPECT_CODE(mask_grid(mask, grid, grid), Code::OPTION_RANGE);
  }
  EXPECT(mask_mode("comfy") == MaskMode::comfy && !mask_mode("cubic"));
}

}  // namespace
