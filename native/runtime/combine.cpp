#include "runtime/combine.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <utility>

namespace ipa {

namespace {

double total(std::span<const double> y) { return std::accumulate(y.begin(), y.end(), 0.0); }

double norm_average(std::span<const double> y) {
  double squares = 0;
  for (const double v : y) squares += v * v;
  return squares == 0 ? 0 : total(y) / std::sqrt(squares) / static_cast<double>(y.size());
}

double subtracted(std::span<const double> y) {
  if (y.size() == 1) return y[0];
  return y[0] - total(y.subspan(1)) / static_cast<double>(y.size() - 1);
}

double one(Combine how, std::span<const double> y, double weights) {
  switch (how) {
    case Combine::average:
      return total(y) / weights;
    case Combine::norm_average:
      return norm_average(y);
    case Combine::add:
      return total(y);
    case Combine::subtract:
      return subtracted(y);
    case Combine::maximum:
      return *std::max_element(y.begin(), y.end());
    case Combine::minimum:
      return *std::min_element(y.begin(), y.end());
  }
  return 0;
}

void renormalise_rows(Tensor& t) {
  const size_t width = static_cast<size_t>(t.shape.c);
  for (size_t row = 0; row < t.data.size(); row += width) {
    const std::span<float> numbers(t.data.data() + row, width);
    double square = 0;
    for (const float v : numbers) square += static_cast<double>(v) * static_cast<double>(v);
    if (square == 0) continue;
    for (float& v : numbers) v = static_cast<float>(static_cast<double>(v) / std::sqrt(square));
  }
}

}  // namespace

std::optional<Combine> combine_of(std::string_view name) {
  static constexpr std::pair<std::string_view, Combine> kNames[] = {
      {"average", Combine::average}, {"norm average", Combine::norm_average},
      {"add", Combine::add},         {"subtract", Combine::subtract},
      {"max", Combine::maximum},     {"min", Combine::minimum}};
  for (const auto& [known, how] : kNames)
    if (known == name) return how;
  return std::nullopt;
}

Tensor combine(Combine how, const std::vector<Tensor>& tensors, const std::vector<float>& weights, bool renormalise) {
  Tensor out{tensors.at(0).shape, std::vector<float>(tensors[0].data.size())};
  double all = 0;
  for (const float w : weights) all += static_cast<double>(w);
  std::vector<double> y(tensors.size());
  for (size_t i = 0; i < out.data.size(); ++i) {
    for (size_t k = 0; k < y.size(); ++k)
      y[k] = static_cast<double>(weights.at(k)) * static_cast<double>(tensors[k].data.at(i));
    out.data[i] = static_cast<float>(one(how, y, all));
  }
  if (renormalise) renormalise_rows(out);
  return out;
}

}  // namespace ipa
