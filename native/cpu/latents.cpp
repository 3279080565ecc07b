// What a step loop does to latents between runs of a plan: numbers so few that threads would not pay.
#include <bit>
#include <cmath>

#include "cpu/memory.h"

namespace ipa::cpu {

namespace {

void combine(void*, Place out, const Term* terms, size_t terms_count, size_t count) {
  float* y = numbers(out);
  for (size_t i = 0; i < count; ++i) {
    double sum = 0;
    for (const Term* t = terms; t < terms + terms_count; ++t)
      if (t->factor != 0) sum += t->factor * static_cast<double>(numbers(t->x)[i]);
    y[i] = static_cast<float>(sum);
  }
}

// Unbiased, over all elements.
double deviation(const float* x, size_t count) {
  double mean = 0, sum = 0;
  for (size_t i = 0; i < count; ++i) mean += static_cast<double>(x[i]);
  mean /= static_cast<double>(count);
  for (size_t i = 0; i < count; ++i) sum += (static_cast<double>(x[i]) - mean) * (static_cast<double>(x[i]) - mean);
  return std::sqrt(sum / static_cast<double>(count - 1));
}

void guide(void*, Place unconditional, Place conditional, double scale, double rescale, Place out, size_t count) {
  const float *u = numbers(unconditional), *c = numbers(conditional);
  float* y = numbers(out);
  const double spread = rescale > 0 ? deviation(c, count) : 0;
  for (size_t i = 0; i < count; ++i)
    y[i] =
        static_cast<float>(static_cast<double>(u[i]) + scale * (static_cast<double>(c[i]) - static_cast<double>(u[i])));
  if (rescale <= 0) return;
  const double factor = rescale * spread / deviation(y, count) + (1 - rescale);
  for (size_t i = 0; i < count; ++i) y[i] = static_cast<float>(factor * static_cast<double>(y[i]));
}

bool finite(void*, Place x, size_t count) { return all_finite(numbers(x), static_cast<int64_t>(count)); }

}  // namespace

// Both have all exponent bits set.
bool all_finite(const float* x, int64_t count) noexcept {
  constexpr uint32_t kExponent = 0x7f800000u;
  uint32_t bad = 0;
  for (int64_t i = 0; i < count; ++i) bad |= (std::bit_cast<uint32_t>(x[i]) & kExponent) == kExponent;
  return !bad;
}

void offer_latents(Backend& b) {
  b.combine = combine;
  b.guide = guide;
  b.finite = finite;
}

}  // namespace ipa::cpu
