#pragma once
// Cases of latents.h against the loops of native/cpu/latents.cpp.
#include <limits>

#include "cuda/kernels/latents.h"
#include "element_checks.h"

namespace ipa::cuda {

// Factors of 0 belong to terms that are NaN. `in_place`: the last term is the result too.
inline void combine_case(const std::vector<double>& factors, bool in_place, uint64_t seed, ThreadPool* pool,
                         Failures& failures) {
  constexpr int kCount = 1003;
  std::mt19937_64 random(seed);
  const int terms = static_cast<int>(factors.size());
  std::vector<std::unique_ptr<Tensor<float>>> xs;
  CombineArguments arguments{};
  arguments.terms = terms, arguments.count = kCount;
  for (int t = 0; t < terms; ++t) {
    xs.push_back(std::make_unique<Tensor<float>>(kCount));
    if (factors[t] != 0) fill(*xs[t], random, 1);
    arguments.factors[t] = factors[t], arguments.x[t] = xs[t]->data();
  }
  std::vector<double> reference(kCount);
  for (int i = 0; i < kCount; ++i) {
    for (int t = 0; t < terms; ++t)
      if (factors[t] != 0) reference[i] += factors[t] * static_cast<double>((*xs[t])[i]);
    reference[i] = static_cast<float>(reference[i]);
  }
  check_elements<float>("combine", seed, reference, {}, failures, [&](const emulator::Order& order, float* out) {
    arguments.out = out;
    if (in_place) {
      std::copy_n(xs.back()->data(), kCount, out);
      arguments.x[terms - 1] = out;
    }
    emulator::launch(element_launch("combine", order, pool), combine, arguments);
  });
}

inline double deviation(const std::vector<double>& x) {
  double mean = 0, sum = 0;
  for (const double v : x) mean += v / static_cast<double>(x.size());
  for (const double v : x) sum += (v - mean) * (v - mean);
  return std::sqrt(sum / static_cast<double>(x.size() - 1));
}

// place: 0 a result of its own, 1 that is u, 2 that is c
inline void guide_case(int count, double scale, double rescale, int place, uint64_t seed, ThreadPool* pool,
                       Failures& failures) {
  std::mt19937_64 random(seed);
  Tensor<float> u(count), c(count);
  fill(u, random, 1), fill(c, random, 1, 0.5f);
  std::vector<double> reference(count), wide(c.data(), c.data() + count);
  for (int i = 0; i < count; ++i) reference[i] = static_cast<float>(value(u[i]) + scale * (value(c[i]) - value(u[i])));
  if (rescale > 0) {
    const double factor = rescale * deviation(wide) / deviation(reference) + (1 - rescale);
    for (double& y : reference) y *= factor;
  }
  check_elements<float>("guide, rescale " + std::to_string(rescale), seed, reference, {rescale > 0 ? 1e-6 : 0},
                        failures, [&](const emulator::Order& order, float* out) {
                          if (place > 0) std::copy_n(place == 1 ? u.data() : c.data(), count, out);
                          const GuideArguments arguments{
                              place == 1 ? out : u.data(), place == 2 ? out : c.data(), out, scale, rescale, count};
                          emulator::Launch launch = element_launch("guide", order, pool);
                          if (rescale <= 0) return void(emulator::launch(launch, guide, arguments));
                          launch.grid.x = 1, launch.threads = kGuideThreads, launch.shared_bytes = kGuideSharedBytes;
                          emulator::launch(launch, guide_rescaled, arguments);
                        });
}

inline void finite_case(const char* what, int count, int at, float bad, uint64_t seed, ThreadPool* pool,
                        Failures& failures) {
  std::mt19937_64 random(seed);
  Tensor<float> x(count);
  fill(x, random, 1e37f);
  x[0] = 3e38f;
  if (at >= 0) x[at] = bad;
  for (const auto& [name, order] : all_orders(seed)) {
    Tensor<uint32_t> flag(1);
    flag[0] = 0;
    emulator::launch(element_launch("finite", order, pool), finite, FiniteArguments{x.data(), flag.data(), count});
    if ((flag[0] != 0) != (at >= 0) || !flag.intact())
      failures.push_back(std::string("finite, ") + what + ", " + name + ": the flag is " + std::to_string(flag[0]));
  }
}

inline void copy_many_case(int copies, uint64_t seed, ThreadPool* pool, Failures& failures) {
  std::mt19937_64 random(seed);
  std::vector<std::unique_ptr<Tensor<float>>> from, to;
  CopyManyArguments arguments{};
  for (int i = 0; i < copies; ++i) {
    const size_t count = i % 5 == 4 ? 0 : 1 + random() % 300;
    from.push_back(std::make_unique<Tensor<float>>(count)), to.push_back(std::make_unique<Tensor<float>>(count));
    fill(*from[i], random, 1);
    arguments.parts[i] = {from[i]->data(), to[i]->data(), static_cast<int64_t>(count * 4)};
  }
  for (const auto& [name, order] : all_orders(seed)) {
    for (const auto& t : to) std::fill_n(t->data(), t->size(), NAN);
    emulator::Launch launch = element_launch("copy_many", order, pool);
    launch.grid.y = static_cast<uint32_t>(copies);
    emulator::launch(launch, copy_many, arguments);
    for (int i = 0; i < copies; ++i)
      if (!std::equal(from[i]->data(), from[i]->data() + from[i]->size(), to[i]->data()) || !to[i]->intact()) {
        failures.push_back("copy_many, " + std::string(name) + ": copy " + std::to_string(i) + " is wrong");
        break;
      }
  }
}

inline void latents_cases(uint64_t seed, ThreadPool* pool, Failures& failures) {
  combine_case({1.25}, false, seed, pool, failures);
  combine_case({0.3, -1.7, 0, 2.5}, false, seed + 1, pool, failures);
  combine_case({1e3, -0.1, 0.7, 0, -999.9, 0.01, 3, 0.5}, true, seed + 2, pool, failures);
  combine_case({0, 0}, false, seed + 3, pool, failures);
  for (int place = 0; place < 3; ++place) {
    guide_case(1027, 7.5, 0, place, seed + 4, pool, failures);
    guide_case(1027, 7.5, 0.7, place, seed + 5, pool, failures);
  }
  guide_case(100, 3, 1, 0, seed + 6, pool, failures);
  finite_case("all", 1000, -1, 0, seed + 7, pool, failures);
  finite_case("NaN", 1000, 999, NAN, seed + 7, pool, failures);
  finite_case("Inf", 1000, 500, std::numeric_limits<float>::infinity(), seed + 7, pool, failures);
  finite_case("-Inf", 33, 32, -std::numeric_limits<float>::infinity(), seed + 7, pool, failures);
  copy_many_case(1, seed + 8, pool, failures);
  copy_many_case(kMostCopies, seed + 9, pool, failures);
}

}  // namespace ipa::cuda
