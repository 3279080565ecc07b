#include "runtime/step_row.h"

#include <cmath>
#include <utility>

namespace ipa {

StepState::StepState(std::vector<float> x) : x_(std::move(x)), saved_(x_.size()), next_(x_.size()), noise_(x_.size()) {
  for (auto& kept : kept_) kept.resize(x_.size());
}

void StepState::keep(const StepRow& row, std::span<const float> out) {
  if (row.push)
    for (size_t k = kept_.size() - 1; k > 0; --k) std::swap(kept_[k], kept_[k - 1]);
  for (size_t i = 0; i < x_.size(); ++i)
    kept_[0][i] =
        static_cast<float>(row.keep_x * static_cast<double>(x_[i]) + row.keep_out * static_cast<double>(out[i]));
}

void StepState::run(const StepUpdate& u) {
  // A factor of 0 means the operand may never have been set: it is not read, so a NaN there cannot leak in.
  for (size_t i = 0; i < x_.size(); ++i) {
    double sum = u.x != 0 ? u.x * static_cast<double>(x_[i]) : 0;
    if (u.saved != 0) sum += u.saved * static_cast<double>(saved_[i]);
    for (size_t k = 0; k < u.outputs.size() && k < kept_.size(); ++k)
      if (u.outputs[k] != 0) sum += u.outputs[k] * static_cast<double>(kept_[k][i]);
    if (u.noise != 0) sum += u.noise * static_cast<double>(noise_[i]);
    next_[i] = static_cast<float>(sum);
  }
  if (u.save_x) saved_ = x_;
  std::swap(x_, next_);
}

namespace {

// Unbiased, over all elements.
double deviation(std::span<const float> v) {
  double mean = 0, sum = 0;
  for (float a : v) mean += static_cast<double>(a);
  mean /= static_cast<double>(v.size());
  for (float a : v) sum += (static_cast<double>(a) - mean) * (static_cast<double>(a) - mean);
  return std::sqrt(sum / static_cast<double>(v.size() - 1));
}

}  // namespace

void guide(std::span<const float> unconditional, std::span<const float> conditional, double scale, double rescale,
           std::span<float> out) {
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<float>(static_cast<double>(unconditional[i]) +
                                scale * (static_cast<double>(conditional[i]) - static_cast<double>(unconditional[i])));
  if (rescale <= 0) return;
  const double factor = rescale * deviation(conditional) / deviation(out) + (1 - rescale);
  for (float& v : out) v = static_cast<float>(factor * static_cast<double>(v));
}

}  // namespace ipa
