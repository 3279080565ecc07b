#pragma once
// How the cases of element kernels run and compare: number by number, since a norm over all would hide a wrong one.
#include "core/error.h"
#include "tensors.h"

namespace ipa::cuda {

// Half the step between neighbours, relative to the lower end of a power of two, and the same of the smallest numbers.
template <typename Out>
constexpr double kHalfStep = std::is_same_v<Out, Half>     ? 0x1p-11
                             : std::is_same_v<Out, BFloat> ? 0x1p-8
                                                           : 0;
template <typename Out>
constexpr double kSmallest = std::is_same_v<Out, Half> ? 0x1p-25 : 0;

struct Limit {
  double relative = 0;  // 0: the same number, rounded once where it has 16 bits
  double floor = 1e-3;  // what is smaller may be as wrong as this
};

template <typename Out>
bool agrees(const Out& out, double expected, const Limit& limit) {
  const double got = value(out);
  if (std::isnan(expected)) return std::isnan(got);
  Out rounded;
  set(rounded, static_cast<float>(expected));
  if (got == value(rounded)) return true;
  return limit.relative > 0 && std::abs(got - expected) <= limit.relative * std::max(std::abs(expected), limit.floor) +
                                                               kHalfStep<Out> * std::abs(expected) + kSmallest<Out>;
}

// Three orders of warps: must not throw, must leave the zones alone, every number must agree.
template <typename Out, typename Run>
void check_elements(const std::string& what, uint64_t seed, const std::vector<double>& reference, const Limit& limit,
                    Failures& failures, Run&& run) {
  for (const auto& [name, order] : all_orders(seed)) {
    const std::string where = what + " to " + kName<Out> + ", " + name + ", IPA_TEST_SEED=" + std::to_string(seed);
    Tensor<Out> out(reference.size());
    try {
      run(order, out.data());
    } catch (const Error& e) {
      failures.push_back(where + ": " + e.what());
      continue;
    }
    if (!out.intact()) failures.push_back(where + ": wrote outside its output");
    for (size_t i = 0; i < reference.size(); ++i) {
      if (agrees(out[i], reference[i], limit)) continue;
      failures.push_back(where + ": number " + std::to_string(i) + " is " + std::to_string(value(out[i])) +
                         ", expected " + std::to_string(reference[i]));
      break;
    }
  }
}

// Fewer threads than numbers, so that each takes several.
inline emulator::Launch element_launch(const char* kernel, const emulator::Order& order, ThreadPool* pool) {
  emulator::Launch launch;
  launch.kernel = kernel, launch.grid.x = 3, launch.threads = 64, launch.order = order, launch.pool = pool;
  return launch;
}

}  // namespace ipa::cuda
