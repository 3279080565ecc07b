#include "image/taps.h"

#include <algorithm>
#include <cmath>

namespace ipa {

namespace {

double centre(int output, int inputs, int outputs) { return (output + 0.5) * inputs / outputs - 0.5; }

double cubic_weight(double x) {
  constexpr double a = -0.75;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

}  // namespace

TapList linear_taps(int inputs, int outputs) {
  TapList list;
  for (int i = 0; i < outputs; ++i) {
    const double at = std::clamp(centre(i, inputs, outputs), 0.0, inputs - 1.0);
    const int first = static_cast<int>(at);
    if (first + 1 < inputs)
      list.push_back({first, {1 - (at - first), at - first}});
    else
      list.push_back({first, {1}});
  }
  return list;
}

TapList cubic_taps(int inputs, int outputs) {
  TapList list;
  for (int i = 0; i < outputs; ++i) {
    const double at = centre(i, inputs, outputs);
    const int before = static_cast<int>(std::floor(at)) - 1;
    const auto inside = [inputs](int x) { return std::clamp(x, 0, inputs - 1); };
    Taps taps{inside(before), std::vector<double>(static_cast<size_t>(inside(before + 3) - inside(before) + 1))};
    for (int x = before; x < before + 4; ++x)
      taps.weights[static_cast<size_t>(inside(x) - taps.first)] += cubic_weight(at - x);
    list.push_back(std::move(taps));
  }
  return list;
}

}  // namespace ipa
