#pragma once
// Products and convolutions at the shapes of both networks.
#include "check.h"
#include "work.h"

namespace ipa::gpu_check {

struct ProductShape {
  int m, n, k;
  bool geglu;
  double target;  // share of the ceiling
  bool quick;
};
struct ConvolutionShape {
  int images, side, cin, cout;  // 3 x 3, stride 1
  double target;
  bool quick;
};

// Measures the shape with the fastest of all tiles and slices, whose times go to `sweep` as well, a line each.
// Returns FLOP per second.
double measure_product(Card& card, const Options& options, ProductShape shape, bool brain, Report& report,
                       std::vector<std::string>& sweep);
void measure_convolution(Card& card, const Options& options, ConvolutionShape shape, bool brain, Report& report,
                         std::vector<std::string>& sweep);

}  // namespace ipa::gpu_check
