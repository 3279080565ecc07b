// Packing of weights: every number at its place, alone and as blocks of a larger weight.
#include "cuda/packing.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "core/error.h"
#include "test.h"

namespace ipa::cuda {
namespace {

std::vector<float> counted(size_t count) {
  std::vector<float> numbers(count);
  for (size_t i = 0; i < count; ++i) numbers[i] = static_cast<float>(i);
  return numbers;
}

TEST("cuda packing: rows of a GEGLU weight, eight values before their eight gates") {
  constexpr int64_t n = 48;
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < n; ++i) rows.push_back(geglu_row(i, n));
  EXPECT_EQ(rows[0], 0);
  EXPECT_EQ(rows[7], 7);
  EXPECT_EQ(rows[8], 24);
  EXPECT_EQ(rows[15], 31);
  EXPECT_EQ(rows[16], 8);
  EXPECT_EQ(rows[47], 47);
  for (int64_t i = 0; i < n; i += 16)
    for (int64_t j = 0; j < 8; ++j) EXPECT_EQ(rows[i + 8 + j], rows[i + j] + n / 2);
  std::sort(rows.begin(), rows.end());
  for (int64_t i = 0; i < n; ++i) EXPECT_EQ(rows[i], i);
}

TEST("cuda packing: GEGLU rows go where geglu_row finds them, whole or in blocks") {
  constexpr int64_t n = 64, k = 3;
  const std::vector<float> file = counted(n * k);
  std::vector<float> whole(n * k, -1), blocks(n * k, -1);
  pack_rows({file.data(), DType::f32, whole.data(), DType::f32, n, k, 1, true});
  for (int64_t i = 0; i < n; ++i)
    for (int64_t x = 0; x < k; ++x) EXPECT_EQ(whole[i * k + x], file[geglu_row(i, n) * k + x]);
  for (int64_t first = 0; first < n / 2; first += 16) {  // 16 values and their gates at a time
    std::vector<float> part(file.begin() + first * k, file.begin() + (first + 16) * k);
    part.insert(part.end(), file.begin() + (n / 2 + first) * k, file.begin() + (n / 2 + first + 16) * k);
    pack_rows({part.data(), DType::f32, &blocks[2 * first * k], DType::f32, 32, k, 1, true});
  }
  EXPECT(whole == blocks);
}

TEST("cuda packing: a convolution's channels come last in its rows, and its rows last for the direct kernel") {
  constexpr int64_t rows = 5, channels = 3, taps = 4;
  const std::vector<float> file = counted(rows * channels * taps);  // [rows][channels][taps]
  std::vector<float> by_rows(file.size(), -1), by_columns(file.size(), -1);
  pack_rows({file.data(), DType::f32, by_rows.data(), DType::f32, rows, channels, taps});
  pack_columns({file.data(), DType::f32, by_columns.data(), DType::f32, rows, channels, taps});
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t t = 0; t < taps; ++t) {
        const float number = file[(r * channels + c) * taps + t];
        EXPECT_EQ(by_rows[(r * taps + t) * channels + c], number);
        EXPECT_EQ(by_columns[(t * channels + c) * rows + r], number);
      }
}

TEST("cuda packing: a doubled image's taps are summed where they meet a pixel, whole or in blocks of rows") {
  constexpr int64_t rows = 3, channels = 2;
  const std::vector<float> file = counted(rows * channels * 9);  // [rows][channels][3][3]; sums are exact
  std::vector<float> whole(rows * channels * 16, -1);
  pack_doubled({file.data(), DType::f32, whole.data(), DType::f32, rows, channels, 9});
  // Taps of the file that line (column) 0 or 1 of a 2x2 weight sums, for the upper (left) and the lower (right) two.
  const std::vector<int64_t> sums[2][2] = {{{0}, {1, 2}}, {{0, 1}, {2}}};
  for (int64_t number = 0; number < 4; ++number)
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t tap = 0; tap < 4; ++tap)
        for (int64_t c = 0; c < channels; ++c) {
          float sum = 0;
          for (const int64_t y : sums[number / 2][tap / 2])
            for (const int64_t x : sums[number % 2][tap % 2]) sum += file[((r * channels + c) * 3 + y) * 3 + x];
          EXPECT_EQ(whole[((number * rows + r) * 4 + tap) * channels + c], sum);
        }
  for (int64_t r = 0; r < rows; ++r) {
    std::vector<float> one(channels * 16, -1);
    pack_doubled({&file[r * channels * 9], DType::f32, one.data(), DType::f32, 1, channels, 9});
    for (int64_t i = 0; i < channels * 16; ++i)
      EXPECT_EQ(one[i], whole[(i / (channels * 4) * rows + r) * channels * 4 + i % (channels * 4)]);
  }
}

TEST("cuda packing: from and to 16 bits, rounded to nearest even") {
  const float file[] = {1, -2.5f, 1.0009765625f, 65504};
  uint16_t half[4], bfloat[4], again[4];
  pack_rows({file, DType::f32, half, DType::f16, 2, 2, 1});
  pack_rows({file, DType::f32, bfloat, DType::bf16, 2, 2, 1});
  pack_columns({half, DType::f16, again, DType::f16, 1, 4, 1});
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(half[i], f32_to_f16(file[i]));
    EXPECT_EQ(bfloat[i], f32_to_bf16(file[i]));
    EXPECT_EQ(again[i], half[i]);
  }
  EXPECT_CODE(pack_rows({file, DType::f32, half, DType::i8, 2, 2, 1}), Code::INTERNAL);
}

}  // namespace
}  // namespace ipa::cuda
