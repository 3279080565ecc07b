#include "image/sample.h"

#include <algorithm>
#include <cmath>

#include "image/taps.h"

namespace ipa {

namespace {

TapList covered_taps(int inputs, int outputs) {
  const double step = static_cast<double>(inputs) / outputs;
  TapList list;
  for (int i = 0; i < outputs; ++i) {
    const double from = i * step, to = std::min<double>(inputs, from + step);
    Taps taps{static_cast<int>(from), {}};
    for (int x = taps.first; x < to; ++x)
      taps.weights.push_back((std::min<double>(x + 1, to) - std::max<double>(x, from)) / step);
    list.push_back(std::move(taps));
  }
  return list;
}

// INTER_AREA of a picture that does not shrink on both sides: each input pixel keeps its area, seams are blended.
TapList seam_taps(int inputs, int outputs) {
  const double step = static_cast<double>(inputs) / outputs;
  TapList list;
  for (int i = 0; i < outputs; ++i) {
    const int first = std::min(static_cast<int>(std::floor(i * step)), inputs - 1);
    const double beyond = (i + 1) - (first + 1) / step;  // outputs past the end of input pixel `first`
    const double t = beyond <= 0 ? 0 : beyond - std::floor(beyond);
    if (first + 1 < inputs)
      list.push_back({first, {1 - t, t}});
    else
      list.push_back({first, {1}});
  }
  return list;
}

Image8 sampled(const Image8& in, const TapList& xs, const TapList& ys) {
  Image8 out(static_cast<int>(xs.size()), static_cast<int>(ys.size()), in.channels);
  uint8_t* to = out.data.data();
  resample(in.data.data(), static_cast<size_t>(in.width), static_cast<size_t>(in.channels), xs, ys,
           [&](double sum) { *to++ = static_cast<uint8_t>(std::clamp(std::nearbyint(sum), 0.0, 255.0)); });
  return out;
}

}  // namespace

Image8 sample_linear(const Image8& image, int width, int height) {
  check_image(image);
  check_size(width, height);
  return sampled(image, linear_taps(image.width, width), linear_taps(image.height, height));
}

Image8 sample_area(const Image8& image, int width, int height) {
  check_image(image);
  check_size(width, height);
  const auto taps = width <= image.width && height <= image.height ? covered_taps : seam_taps;
  return sampled(image, taps(image.width, width), taps(image.height, height));
}

Image8 sample_nearest(const Image8& image, int width, int height) {
  check_image(image);
  check_size(width, height);
  const auto source = [](int i, int inputs, int outputs) {
    return std::min(
        static_cast<int>(static_cast<float>(i) * (static_cast<float>(inputs) / static_cast<float>(outputs))),
        inputs - 1);
  };
  Image8 out(width, height, image.channels);
  uint8_t* to = out.data.data();
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const size_t at = static_cast<size_t>(source(x, image.width, width)) * static_cast<size_t>(image.channels);
      to = std::copy_n(image.row(source(y, image.height, height)) + at, image.channels, to);
    }
  return out;
}

}  // namespace ipa
