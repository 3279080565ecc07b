// Noise as a picture to steer away from: what each kind makes of a picture, and that the same picture gives the same.
#include "image/negative_noise.h"

#include <cmath>

#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

constexpr int kSide = 64;

// Dark on the left and light on the right, by `step` grey levels.
Image8 halves(int middle, int step) {
  Image8 out(kSide, kSide, 3);
  for (size_t i = 0; i < out.data.size(); ++i)
    out.data[i] = static_cast<uint8_t>(middle + (i / 3 % kSide < kSide / 2 ? -step : step));
  return out;
}

struct Facts {
  double mean = 0, deviation = 0;  // grey levels
};
// Of the columns from `first` to before `end`.
Facts facts(const Image8& image, int first = 0, int end = kSide) {
  double sum = 0, squares = 0, count = 0;
  for (size_t i = 0; i < image.data.size(); ++i) {
    const int x = static_cast<int>(i / 3 % kSide);
    if (x < first || x >= end) continue;
    sum += image.data[i], squares += double{1} * image.data[i] * image.data[i], ++count;
  }
  const double mean = sum / count;
  return {mean, std::sqrt(squares / count - mean * mean)};
}

size_t changed(const Image8& a, const Image8& b) {
  size_t count = 0;
  for (size_t i = 0; i < a.data.size(); ++i) count += a.data[i] != b.data[i];
  return count;
}

TEST("negative noise: without strength the picture is left, with all of it nothing of the picture is") {
  const Image8 in = halves(128, 60);
  for (NoiseKind kind : {NoiseKind::fade, NoiseKind::dissolve, NoiseKind::gaussian})
    EXPECT_EQ(negative_noise(in, {kind, 0, 0}) == in, true);
  for (NoiseKind kind : {NoiseKind::fade, NoiseKind::dissolve}) {
    const Image8 out = negative_noise(in, {kind, 1, 0});
    EXPECT_CLOSE(std::vector<double>{facts(out, 0, 32).mean}, std::vector<double>{127.5}, 4, "left");    // of 6,144
    EXPECT_CLOSE(std::vector<double>{facts(out, 32, 64).mean}, std::vector<double>{127.5}, 4, "right");  // numbers: 0.9
    EXPECT_CLOSE(std::vector<double>{facts(out).deviation}, std::vector<double>{255 / std::sqrt(12.0)}, 2, "uniform");
  }
}

TEST("negative noise: strength is a share for fade, a probability for dissolve, a deviation for gaussian") {
  const Image8 flat = halves(128, 0);
  const Facts fade = facts(negative_noise(flat, {NoiseKind::fade, 0.25f, 0}));
  EXPECT_CLOSE((std::vector<double>{fade.mean, fade.deviation}), (std::vector<double>{127.9, 0.25 * 73.6}), 1, "fade");
  const double share = static_cast<double>(changed(negative_noise(flat, {NoiseKind::dissolve, 0.25f, 0}), flat)) /
                       static_cast<double>(flat.data.size());
  EXPECT_CLOSE(std::vector<double>{share}, std::vector<double>{0.25}, 0.015, "dissolve");  // 12,288 numbers: 0.004
  const Facts gaussian = facts(negative_noise(flat, {NoiseKind::gaussian, 0.1f, 0}));
  EXPECT_CLOSE((std::vector<double>{gaussian.mean, gaussian.deviation}), (std::vector<double>{128, 25.5}), 0.6, "g");
}

TEST("negative noise: shuffle turns the picture about and shakes it") {
  const Image8 in = halves(128, 60);
  const Image8 calm = negative_noise(in, {NoiseKind::shuffle, 0, 0});
  EXPECT_EQ(int{calm.row(30)[3 * 3]}, 188);  // left and right have changed places, away from the border
  EXPECT_EQ(int{calm.row(30)[60 * 3]}, 68);
  const Image8 wild = negative_noise(halves(128, 0), {NoiseKind::shuffle, 1, 0});
  EXPECT_EQ(facts(wild).deviation > 60, true);  // 0.75 of the way to white, either way
}

TEST("negative noise: a blur smooths, an even kernel is the next odd one") {
  const Image8 in = halves(128, 0);
  const NoiseRule rule{NoiseKind::gaussian, 0.2f, 0};
  const auto with = [&](int blur) { return negative_noise(in, {rule.kind, rule.strength, blur}); };
  EXPECT_EQ(facts(with(9)).deviation < 0.4 * facts(with(0)).deviation, true);
  EXPECT_EQ(with(8) == with(9), true);
  EXPECT_EQ(with(1) == with(0), true);
  EXPECT_CLOSE(std::vector<double>{facts(with(9)).mean}, std::vector<double>{facts(with(0)).mean}, 0.5, "mean");
}

TEST("negative noise: a picture has its own, the same each time") {
  const NoiseRule rule{NoiseKind::gaussian, 0.2f, 0};
  EXPECT_EQ(negative_noise(halves(128, 0), rule) == negative_noise(halves(128, 0), rule), true);
  EXPECT_EQ(changed(negative_noise(halves(128, 0), rule), negative_noise(halves(129, 0), rule)) > 8000, true);
  EXPECT_EQ(noise_kind_of("dissolve") == NoiseKind::dissolve && !noise_kind_of("rain"), true);
}

}  // namespace
