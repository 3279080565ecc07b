// Both references see a sequence of S tokens and guess the sides of its grid. Where they guess wrong, they fit what
// they resampled into the sequence as it comes; that is kept, since it is what their pictures show.
#include "image/mask_grid.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <string>
#include <utility>

#include "core/error.h"
#include "image/resize.h"
#include "image/taps.h"

namespace ipa {

namespace {

constexpr std::array<std::pair<std::string_view, MaskMode>, 3> kNames = {
    {{"linear", MaskMode::linear}, {"diffusers", MaskMode::diffusers}, {"comfy", MaskMode::comfy}}};

int64_t tokens(GridSize g) { return g.height * g.width; }

// `rows` cut to a whole number, one more where it does not divide the sequence. Very long pictures would make one of
// the sides 0, on which the references fail: it is 1 here.
GridSize guessed(double rows, int64_t sequence) {
  int64_t height = std::clamp<int64_t>(static_cast<int64_t>(rows), 1, sequence);
  if (sequence % height != 0) ++height;
  return {height, sequence / height};
}

std::vector<float> resampled(const RegionMask& m, GridSize grid, TapList (*taps)(int inputs, int outputs)) {
  std::vector<float> out;
  out.reserve(static_cast<size_t>(tokens(grid)));
  resample(m.data.data(), static_cast<size_t>(m.width), 1, taps(m.width, static_cast<int>(grid.width)),
           taps(m.height, static_cast<int>(grid.height)), [&](double sum) { out.push_back(static_cast<float>(sum)); });
  return out;
}

// What is guessed never has more places than there are tokens.   source: diffusers IPAdapterMaskProcessor.downsample
std::vector<float> diffusers_grid(const RegionMask& given, GridSize grid) {
  const RegionMask m = black_and_white(given);
  const double aspect = static_cast<double>(m.width) / m.height;
  const GridSize own = guessed(std::sqrt(static_cast<double>(tokens(grid)) / aspect), tokens(grid));
  std::vector<float> values = resampled(m, own, cubic_taps);
  values.resize(static_cast<size_t>(tokens(grid)));  // zeros at the end
  return values;
}

// source: ComfyUI_IPAdapter_plus ipadapter_attention
std::vector<float> comfy_grid(const RegionMask& m, GridSize latents, GridSize grid) {
  const double shrunk = std::sqrt(static_cast<double>(tokens(latents)) / static_cast<double>(tokens(grid)));
  const GridSize own = guessed(static_cast<double>(latents.height) / shrunk, tokens(grid));
  const std::vector<float> values = resampled(m, own, linear_taps);
  std::vector<float> out(static_cast<size_t>(tokens(grid)));  // zeros before and after
  std::ranges::copy(values, out.begin() + static_cast<std::ptrdiff_t>((out.size() - values.size()) / 2));
  return out;
}

std::string number_text(float v) {
  if (std::isnan(v)) return "NaN";
  char text[32];
  std::snprintf(text, sizeof text, "%g", static_cast<double>(v));
  return text;
}

}  // namespace

std::optional<MaskMode> mask_mode(std::string_view text) {
  for (const auto& [name, mode] : kNames)
    if (name == text) return mode;
  return std::nullopt;
}

RegionMask black_and_white(const RegionMask& m) {
  const auto eights = [](int side) { return std::max(8, side - side % 8); };
  Image8 grey(m.width, m.height, 1);
  std::ranges::transform(m.data, grey.data.begin(),
                         [](float v) { return static_cast<uint8_t>(static_cast<double>(v) * 255 + 0.5); });
  const Image8 resized = resize(grey, eights(m.width), eights(m.height), Filter::lanczos);
  RegionMask out{resized.width, resized.height, {}, m.mode};
  for (const uint8_t v : resized.data) out.data.push_back(v >= 128 ? 1.0f : 0.0f);  // 128 of 255: from 0.5 up
  return out;
}

void check_mask(const RegionMask& m) {
  const std::string sides = std::to_string(m.width) + " x " + std::to_string(m.height);
  const size_t pixels = m.width > 0 && m.height > 0 ? static_cast<size_t>(m.width) * static_cast<size_t>(m.height) : 0;
  if (pixels == 0 || m.data.size() != pixels)
    fail(Code::OPTION_RANGE, "a mask of " + sides + " pixels holds " + std::to_string(m.data.size()) + " values",
         "pass one value per pixel, width x height of them", {{"option", "mask"}});
  for (size_t i = 0; i < pixels; ++i)
    if (!(m.data[i] >= 0 && m.data[i] <= 1))
      fail(Code::OPTION_RANGE,
           "a mask holds " + number_text(m.data[i]) + " in column " + std::to_string(i % static_cast<size_t>(m.width)) +
               ", row " + std::to_string(i / static_cast<size_t>(m.width)),
           "pass values from 0 (no influence) to 1 (full influence)", {{"option", "mask"}});
}

std::vector<float> mask_grid(const RegionMask& mask, GridSize latents, GridSize grid) {
  check_mask(mask);
  switch (mask.mode) {
    case MaskMode::diffusers:
      return diffusers_grid(mask, grid);
    case MaskMode::comfy:
      return comfy_grid(mask, latents, grid);
    default:
      return resampled(mask, grid, linear_taps);
  }
}

}  // namespace ipa
