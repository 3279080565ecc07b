#pragma once
// Cases of elements.h: functions of single numbers, sums, casts. Numbers side by side: kWide, by which columns divide.
#include <limits>

#include "cuda/kernels/elements.h"
#include "element_checks.h"

namespace ipa::cuda {

// Far out in the tails of gelu and its like, the rounding of the exponent shows: 1e-8 absolute is what f32 can do.
constexpr double kTail = 1e-2;

constexpr int kElementFunctions = static_cast<int>(ElementFunction::ceil) + 1;

inline double element_reference(ElementFunction function, double x, double alpha, double beta) {
  using enum ElementFunction;
  switch (function) {
    case identity:
      return x;
    case relu:
      return x < 0 ? 0 : x;
    case leaky_relu:
      return x < 0 ? x * alpha : x;
    case silu:
      return x / (1 + std::exp(-x));
    case gelu:
      return 0.5 * x * (1 + std::erf(x * 0.70710678118654752));
    case quick_gelu:
      return x / (1 + std::exp(-1.702 * x));
    case sigmoid:
      return 1 / (1 + std::exp(-x));
    case tanh:
      return std::tanh(x);
    case exp:
      return std::exp(x);
    case sqrt:
      return std::sqrt(x);
    case abs:
      return std::abs(x);
    case neg:
      return -x;
    case clip:
      return x < alpha ? alpha : x > beta ? beta : x;
    case floor:
      return std::floor(x);
    case ceil:
      return std::ceil(x);
  }
  return x;
}

inline bool is_exact(ElementFunction function) {
  using enum ElementFunction;
  return function == identity || function == relu || function == leaky_relu || function >= sqrt;
}

template <typename Out, int kWide>
void apply_cases(uint64_t seed, ThreadPool* pool, Failures& failures) {
  std::mt19937_64 random(seed);
  Tensor<float> x(411 * kWide);
  fill(x, random, 4);
  constexpr float kInfinity = std::numeric_limits<float>::infinity(), kAlpha = -0.75f, kBeta = 1.5f;
  const float special[] = {NAN, kInfinity, -kInfinity, 0.0f, -0.0f, 90, -90, 0.25f, kAlpha, kBeta, 1e-30f};
  std::copy(std::begin(special), std::end(special), x.data() + 100);
  for (int f = 0; f < kElementFunctions; ++f) {
    const auto function = static_cast<ElementFunction>(f);
    std::vector<double> reference(x.size());
    for (size_t i = 0; i < x.size(); ++i)
      reference[i] = static_cast<float>(element_reference(function, x[i], kAlpha, kBeta));
    check_elements<Out>("apply " + std::to_string(f), seed, reference, {is_exact(function) ? 0 : 1e-6, kTail}, failures,
                        [&](const emulator::Order& order, Out* out) {
                          emulator::launch(element_launch("apply", order, pool), apply<Out, kWide>,
                                           ApplyArguments{x.data(), out, 411, function, kAlpha, kBeta});
                        });
  }
  if (!x.intact()) failures.push_back("apply: wrote outside an input");
}

template <typename Out, int kWide>
void geglu_case(int rows, int columns, uint64_t seed, ThreadPool* pool, Failures& failures) {
  std::mt19937_64 random(seed);
  const int width = columns * kWide;
  Tensor<float> x(static_cast<size_t>(rows) * 2 * width);
  fill(x, random, 2);
  std::vector<double> reference(static_cast<size_t>(rows) * width);
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < width; ++c)
      reference[r * width + c] =
          x[r * 2 * width + c] * element_reference(ElementFunction::gelu, x[(r * 2 + 1) * width + c], 0, 0);
  check_elements<Out>("geglu", seed, reference, {2e-6, kTail}, failures, [&](const emulator::Order& order, Out* out) {
    emulator::launch(element_launch("geglu", order, pool), geglu<Out, kWide>,
                     GegluArguments{x.data(), out, rows, columns});
  });
}

// `repeats` times b makes a
template <typename Out, int kWide>
void add_case(int period, int repeats, uint64_t seed, ThreadPool* pool, Failures& failures) {
  std::mt19937_64 random(seed);
  Tensor<float> a(static_cast<size_t>(period) * repeats * kWide), b(static_cast<size_t>(period) * kWide);
  fill(a, random, 1), fill(b, random, 1);
  std::vector<double> reference(a.size());
  for (size_t i = 0; i < a.size(); ++i) reference[i] = a[i] + b[i % b.size()];
  check_elements<Out>("add", seed, reference, {}, failures, [&](const emulator::Order& order, Out* out) {
    emulator::launch(element_launch("add", order, pool), add<Out, kWide>,
                     AddArguments{a.data(), b.data(), out, period * repeats, period});
  });
}

template <int kWide>
void add_channel_case(int images, int rows_of_image, int columns, bool one, uint64_t seed, ThreadPool* pool,
                      Failures& failures) {
  std::mt19937_64 random(seed);
  const int width = columns * kWide, rows = images * rows_of_image;
  Tensor<float> x(static_cast<size_t>(rows) * width), channel(static_cast<size_t>(one ? 1 : images) * width);
  fill(x, random, 1), fill(channel, random, 1);
  std::vector<double> reference(x.size());
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < width; ++c)
      reference[r * width + c] = x[r * width + c] + channel[(one ? 0 : r / rows_of_image) * width + c];
  check_elements<float>("add_channel", seed, reference, {}, failures, [&](const emulator::Order& order, float* out) {
    emulator::launch(
        element_launch("add_channel", order, pool), add_channel<kWide>,
        AddChannelArguments{x.data(), channel.data(), out, rows, columns, rows_of_image, one ? 0 : columns});
  });
}

// A scale of NaN stands for none. With 0, y and mask are NaN, as Tensor makes them, and must not show.
template <typename Out, int kWide>
void add_scaled_case(float scale, int mask_rows, uint64_t seed, ThreadPool* pool, Failures& failures) {
  constexpr int kRows = 36, kColumns = 15, kWidth = kColumns * kWide;
  std::mt19937_64 random(seed);
  Tensor<float> x(kRows * kWidth), y(x.size()), mask(mask_rows), row(3);
  fill(x, random, 1);
  if (scale != 0) fill(y, random, 1), fill(mask, random, 1);
  row[1] = scale;
  const bool none = std::isnan(scale);
  std::vector<double> reference(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const double weight = mask_rows > 0 ? mask[i / kWidth % mask_rows] : 1;
    reference[i] = scale == 0 ? x[i] : x[i] + (none ? 1 : scale) * weight * y[i];
  }
  check_elements<Out>(
      "add_scaled " + std::to_string(scale), seed, reference, {scale == 0 ? 0 : 1e-6, 4}, failures,
      [&](const emulator::Order& order, Out* out) {
        const AddScaledArguments arguments{
            x.data(), y.data(), none ? nullptr : row.data() + 1, mask_rows > 0 ? mask.data() : nullptr, out, kRows,
            kColumns, mask_rows};
        emulator::launch(element_launch("add_scaled", order, pool), add_scaled<Out, kWide>, arguments);
      });
}

template <typename In, typename Out, int kWide>
void cast_case(int period, int repeats, uint64_t seed, ThreadPool* pool, Failures& failures) {
  std::mt19937_64 random(seed);
  Tensor<In> x(static_cast<size_t>(period) * kWide);
  fill(x, random, 100);
  set(x[0], -std::numeric_limits<float>::infinity());
  set(x[1 % x.size()], 1e5f);  // infinity in f16
  std::vector<double> reference(x.size() * repeats);
  for (size_t i = 0; i < reference.size(); ++i) reference[i] = value(x[i % x.size()]);
  check_elements<Out>(std::string("cast of ") + kName<In>, seed, reference, {}, failures,
                      [&](const emulator::Order& order, Out* out) {
                        emulator::launch(element_launch("cast", order, pool), cast<In, Out, kWide>,
                                         CastArguments{x.data(), out, period * repeats, period});
                      });
}

template <typename Out, int kWide>
void element_cases(uint64_t seed, ThreadPool* pool, Failures& failures) {
  apply_cases<Out, kWide>(seed, pool, failures);
  geglu_case<Out, kWide>(1, 1, seed + 1, pool, failures);
  geglu_case<Out, kWide>(17, 41, seed + 2, pool, failures);
  add_case<Out, kWide>(1, 1, seed + 3, pool, failures);
  add_case<Out, kWide>(333, 1, seed + 4, pool, failures);
  add_case<Out, kWide>(115, 3, seed + 5, pool, failures);
  add_scaled_case<Out, kWide>(0.7f, 0, seed + 6, pool, failures);
  add_scaled_case<Out, kWide>(NAN, 36, seed + 7, pool, failures);
  add_scaled_case<Out, kWide>(-1.5f, 12, seed + 8, pool, failures);
  add_scaled_case<Out, kWide>(0, 12, seed + 9, pool, failures);
  cast_case<float, Out, kWide>(300, 1, seed + 10, pool, failures);
  cast_case<float, Out, kWide>(101, 3, seed + 11, pool, failures);
}

template <int kWide>
void f32_element_cases(uint64_t seed, ThreadPool* pool, Failures& failures) {
  add_channel_case<kWide>(1, 1, 1, false, seed, pool, failures);
  add_channel_case<kWide>(3, 14, 9, false, seed + 1, pool, failures);
  add_channel_case<kWide>(3, 14, 9, true, seed + 2, pool, failures);
  cast_case<Half, float, kWide>(300, 1, seed + 3, pool, failures);
  cast_case<BFloat, float, kWide>(100, 2, seed + 4, pool, failures);
}

}  // namespace ipa::cuda
