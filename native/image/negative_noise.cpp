#include "image/negative_noise.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/random.h"

namespace ipa {

namespace {

constexpr uint64_t kSeeds = 1'000'000'007;
constexpr float kDisplacement = 75.0f / 224 / 2;  // of the side, where noise is 1: alpha 75 at 224 pixels, halved as
                                                  // its grid runs from -1 to 1.   source: torchvision ElasticTransform
constexpr float kSigma = 3.5f;                    // pixels over which displacements are smooth, at strength 0
constexpr float kShuffleNoise = 0.75f;

// Numbers 0..1 in planes of one picture: [height, width, channels].
struct Field {
  int width, height, channels;
  std::vector<float> data;
  float& at(int x, int y, int c) { return data[static_cast<size_t>((y * width + x) * channels + c)]; }
  float at(int x, int y, int c) const { return data[static_cast<size_t>((y * width + x) * channels + c)]; }
  float clamped(int x, int y, int c) const { return at(std::clamp(x, 0, width - 1), std::clamp(y, 0, height - 1), c); }
};

// Gaussian of `taps` numbers (odd), along both axes; beyond the edge is the edge.
Field blurred(const Field& in, int taps, float sigma) {
  const int reach = taps / 2;
  std::vector<float> weights(static_cast<size_t>(taps));
  float sum = 0;
  for (int i = 0; i < taps; ++i) {
    const float x = static_cast<float>(i - reach) / sigma;
    sum += weights[static_cast<size_t>(i)] = std::exp(-0.5f * x * x);
  }
  const auto pass = [&](const Field& from, int dx, int dy) {
    Field to = from;
    for (int y = 0; y < from.height; ++y)
      for (int x = 0; x < from.width; ++x)
        for (int c = 0; c < from.channels; ++c) {
          float value = 0;
          for (int i = -reach; i <= reach; ++i)
            value += weights[static_cast<size_t>(i + reach)] * from.clamped(x + i * dx, y + i * dy, c);
          to.at(x, y, c) = value / sum;
        }
    return to;
  };
  return pass(pass(in, 1, 0), 0, 1);
}

// Every pixel from a place nearby, bilinear, then turned about by half a turn.
Field shuffled(const Field& in, float strength, TorchCpuGenerator& random) {
  Field moves{in.width, in.height, 2, std::vector<float>(in.data.size() / 3 * 2)};
  random.uniform(moves.data);
  for (float& v : moves.data) v = 2 * v - 1;
  const float sigma = (1 - strength) * kSigma;
  if (sigma > 0) moves = blurred(moves, static_cast<int>(8 * sigma + 1) | 1, sigma);
  const float far = kDisplacement * static_cast<float>(in.width);  // pixels
  Field out = in;
  for (int y = 0; y < in.height; ++y)
    for (int x = 0; x < in.width; ++x) {
      const float fx = static_cast<float>(x) + far * moves.at(x, y, 0);
      const float fy = static_cast<float>(y) + far * moves.at(x, y, 1);
      const int x0 = static_cast<int>(std::floor(fx)), y0 = static_cast<int>(std::floor(fy));
      const float ax = fx - std::floor(fx), ay = fy - std::floor(fy);
      for (int c = 0; c < 3; ++c) {
        const float top = in.clamped(x0, y0, c) * (1 - ax) + in.clamped(x0 + 1, y0, c) * ax;
        const float bottom = in.clamped(x0, y0 + 1, c) * (1 - ax) + in.clamped(x0 + 1, y0 + 1, c) * ax;
        out.at(in.width - 1 - x, in.height - 1 - y, c) = top * (1 - ay) + bottom * ay;
      }
    }
  return out;
}

}  // namespace

std::optional<NoiseKind> noise_kind_of(std::string_view name) {
  static constexpr std::pair<std::string_view, NoiseKind> kNames[] = {{"fade", NoiseKind::fade},
                                                                      {"dissolve", NoiseKind::dissolve},
                                                                      {"gaussian", NoiseKind::gaussian},
                                                                      {"shuffle", NoiseKind::shuffle}};
  for (const auto& [known, kind] : kNames)
    if (name == known) return kind;
  return std::nullopt;
}

Image8 negative_noise(const Image8& square, const NoiseRule& rule) {
  check_image(square);
  uint64_t sum = 0;
  Field x{square.width, square.height, 3, std::vector<float>(square.data.size())};
  for (size_t i = 0; i < square.data.size(); ++i) {
    sum += square.data[i];
    x.data[i] = static_cast<float>(square.data[i]) / 255;
  }
  TorchCpuGenerator random(sum / 255 % kSeeds);  // the whole part of the sum of numbers 0..1
  if (rule.kind == NoiseKind::shuffle) x = shuffled(x, rule.strength, random);
  std::vector<float> noise(x.data.size()), chance(x.data.size());
  const bool is_normal = rule.kind == NoiseKind::gaussian || rule.kind == NoiseKind::shuffle;
  if (is_normal)
    random.randn(noise);
  else
    random.uniform(noise);
  if (rule.kind == NoiseKind::dissolve) random.uniform(chance);
  const float strength = rule.strength;
  for (size_t i = 0; i < noise.size(); ++i) {
    float& v = x.data[i];
    const float n = noise[i], white = kShuffleNoise * strength * n;
    switch (rule.kind) {
      case NoiseKind::fade:
        v = v * (1 - strength) + n * strength;
        break;
      case NoiseKind::dissolve:
        if (chance[i] < strength) v = n;
        break;
      case NoiseKind::gaussian:
        v += strength * n;
        break;
      case NoiseKind::shuffle:
        v = v * (1 - white) + white;
        break;
    }
    v = std::clamp(v, 0.0f, 1.0f);
  }
  if (rule.blur > 0) {
    const int taps = rule.blur | 1;
    // source: torchvision GaussianBlur, the sigma that follows from a kernel
    x = blurred(x, taps, 0.3f * (static_cast<float>(taps - 1) * 0.5f - 1) + 0.8f);
  }
  Image8 out(square.width, square.height, 3);
  for (size_t i = 0; i < x.data.size(); ++i) out.data[i] = static_cast<uint8_t>(std::lround(x.data[i] * 255));
  return out;
}

}  // namespace ipa
