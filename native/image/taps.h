#pragma once
// Resampling as a sum of weighted inputs, the same for every row and every column: which inputs each output reads.
#include <cstddef>
#include <vector>

namespace ipa {

// The input positions an output position reads, and their weights (which sum to 1).
struct Taps {
  int first = 0;
  std::vector<double> weights;
};
using TapList = std::vector<Taps>;

// Both at half-pixel centres, without antialias, edges clamped.
TapList linear_taps(int inputs, int outputs);  // two taps.   source: OpenCV INTER_LINEAR, torch interpolate "bilinear"
TapList cubic_taps(int inputs, int outputs);   // four, a = -0.75.   source: torch interpolate "bicubic"

// in [.., width, channels] -> put(sum) for every output [ys, xs, channels] in turn.
template <typename Number, typename Put>
void resample(const Number* in, size_t width, size_t channels, const TapList& xs, const TapList& ys, Put put) {
  std::vector<double> row(width * channels);  // the input rows of one output row, mixed
  for (const Taps& y : ys) {
    row.assign(row.size(), 0.0);
    for (size_t j = 0; j < y.weights.size(); ++j) {
      const Number* from = in + (static_cast<size_t>(y.first) + j) * row.size();
      for (size_t x = 0; x < row.size(); ++x) row[x] += y.weights[j] * from[x];
    }
    for (const Taps& x : xs)
      for (size_t channel = 0; channel < channels; ++channel) {
        double sum = 0;
        for (size_t k = 0; k < x.weights.size(); ++k)
          sum += x.weights[k] * row[(static_cast<size_t>(x.first) + k) * channels + channel];
        put(sum);
      }
  }
}

}  // namespace ipa
