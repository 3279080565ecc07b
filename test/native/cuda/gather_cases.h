#pragma once
// Cases of gather.h and strided.h: copies, and the binary functions over strides.
#include <numeric>
#include <tuple>

#include "cuda/kernels/gather.h"
#include "cuda/kernels/strided.h"
#include "element_checks.h"

namespace ipa::cuda {

template <typename Out, int kWide>
void concat_case(int rows, const std::vector<int>& columns, uint64_t seed, ThreadPool* pool, Failures& failures) {
  std::mt19937_64 random(seed);
  ConcatArguments arguments{};
  arguments.rows = rows;
  std::vector<std::unique_ptr<Tensor<float>>> xs;
  for (const int width : columns) {
    xs.push_back(std::make_unique<Tensor<float>>(static_cast<size_t>(rows) * width * kWide));
    fill(*xs.back(), random, 1);
    arguments.columns += width;
  }
  arguments.pitch = arguments.columns;
  std::fill(std::begin(arguments.ends), std::end(arguments.ends), arguments.columns);
  for (size_t s = 0, end = 0; s < xs.size(); ++s)
    arguments.x[s] = xs[s]->data(), arguments.ends[s] = static_cast<int>(end += columns[s]);
  std::vector<double> reference;
  for (int r = 0; r < rows; ++r)
    for (size_t s = 0; s < xs.size(); ++s)
      for (int c = 0; c < columns[s] * kWide; ++c) reference.push_back((*xs[s])[r * columns[s] * kWide + c]);
  check_elements<Out>("concat", seed, reference, {}, failures, [&](const emulator::Order& order, Out* out) {
    arguments.y = out;
    emulator::launch(element_launch("concat", order, pool), concat<Out, kWide>, arguments);
  });
}

template <typename Out, int kWide>
void upsample_case(UpsampleArguments arguments, uint64_t seed, ThreadPool* pool, Failures& failures) {
  std::mt19937_64 random(seed);
  const auto& [unused_x, unused_y, images, h, w, columns, out_h, out_w] = arguments;
  const int width = columns * kWide;
  Tensor<float> x(static_cast<size_t>(images) * h * w * width);
  fill(x, random, 1);
  std::vector<double> reference;
  for (int n = 0; n < images; ++n)
    for (int i = 0; i < out_h; ++i)
      for (int j = 0; j < out_w; ++j)
        for (int c = 0; c < width; ++c)
          reference.push_back(x[((n * h + i * h / out_h) * w + j * w / out_w) * static_cast<size_t>(width) + c]);
  arguments.x = x.data();
  check_elements<Out>("upsample", seed, reference, {}, failures, [&](const emulator::Order& order, Out* out) {
    arguments.y = out;
    emulator::launch(element_launch("upsample", order, pool), upsample<Out, kWide>, arguments);
  });
}

template <typename In, int kWide>
void take_rows_case(int rows, int columns, int step, int choices, uint64_t seed, ThreadPool* pool, Failures& failures) {
  std::mt19937_64 random(seed);
  const int width = columns * kWide, last = choices - 1;
  Tensor<In> from(static_cast<size_t>(step == 0 ? choices : rows * step) * width);
  fill(from, random, 1);
  Tensor<float> index(rows);
  std::vector<int> chosen(rows);
  // What a caller bound may be anything: it is held inside.
  const std::pair<float, int> wild[] = {{-1.0f, 0}, {NAN, 0}, {1e30f, last}, {static_cast<float>(choices), last}};
  for (int r = 0; r < rows; ++r) {
    chosen[r] = static_cast<int>(random() % choices), index[r] = static_cast<float>(chosen[r]);
    if (r % 3 == 1) std::tie(index[r], chosen[r]) = wild[r / 3 % 4];
  }
  std::vector<double> reference;
  for (int r = 0; r < rows; ++r)
    for (int c = 0; c < width; ++c)
      reference.push_back(value(from[static_cast<size_t>(r * step + chosen[r]) * width + c]));
  check_elements<float>(std::string("take_rows of ") + kName<In>, seed, reference, {}, failures,
                        [&](const emulator::Order& order, float* out) {
                          emulator::launch(
                              element_launch("take_rows", order, pool), take_rows<In, kWide>,
                              TakeRowsArguments{from.data(), index.data(), out, rows, columns, step, choices});
                        });
}

template <typename T, int kWide>
void gather_cases(uint64_t seed, ThreadPool* pool, Failures& failures) {
  concat_case<T, kWide>(1, {1}, seed, pool, failures);
  concat_case<T, kWide>(29, {7, 12}, seed + 1, pool, failures);
  concat_case<T, kWide>(3, {40, 3, 1, 77}, seed + 2, pool, failures);
  upsample_case<T, kWide>({nullptr, nullptr, 2, 5, 3, 4, 10, 6}, seed + 3, pool, failures);
  upsample_case<T, kWide>({nullptr, nullptr, 1, 4, 7, 3, 9, 13}, seed + 4, pool, failures);
  take_rows_case<T, kWide>(20, 11, 0, 31, seed + 5, pool, failures);
  take_rows_case<T, kWide>(14, 5, 9, 9, seed + 6, pool, failures);
}

// Dims, innermost first as the kernels take them, and one walk over all of them: f(place in every dimension).
using Sizes = std::vector<int>;
template <typename F>
void each_place(const Sizes& dims, F&& f) {
  int count = 1;
  for (const int d : dims) count *= d;
  for (int i = 0; i < count; ++i) {
    Sizes place;
    int rest = i;
    for (const int d : dims) place.push_back(rest % d), rest /= d;
    f(place);
  }
}

template <typename T>
void put(T (&to)[kMostDims], const Sizes& from) {
  std::copy(from.begin(), from.end(), to);
}

inline int64_t dot(const Sizes& place, const Sizes& strides) {
  return std::inner_product(place.begin(), place.end(), strides.begin(), int64_t{0});
}

inline void rearrange_case(size_t x_size, int offset, const Sizes& dims, const Sizes& strides, uint64_t seed,
                           ThreadPool* pool, Failures& failures) {
  std::mt19937_64 random(seed);
  Tensor<float> x(x_size);
  fill(x, random, 1);
  std::vector<double> reference;
  each_place(dims, [&](const Sizes& place) { reference.push_back(x[offset + dot(place, strides)]); });
  RearrangeArguments arguments{
      x.data(), nullptr, offset, {}, {}, static_cast<int>(dims.size()), static_cast<int>(reference.size())};
  put(arguments.dims, dims), put(arguments.strides, strides);
  check_elements<float>("rearrange", seed, reference, {}, failures, [&](const emulator::Order& order, float* out) {
    arguments.y = out;
    emulator::launch(element_launch("rearrange", order, pool), rearrange, arguments);
  });
}

inline void pad_case(const Sizes& dims, const Sizes& before, const Sizes& after, uint64_t seed, ThreadPool* pool,
                     Failures& failures) {
  std::mt19937_64 random(seed);
  PadArguments arguments{};
  Sizes out_dims;
  size_t size = 1;
  for (size_t k = 0; k < dims.size(); ++k) out_dims.push_back(before[k] + dims[k] + after[k]), size *= dims[k];
  Tensor<float> x(size);
  fill(x, random, 1);
  arguments.x = x.data(), arguments.value = -7.5f, arguments.rank = static_cast<int>(dims.size());
  put(arguments.dims, dims), put(arguments.before, before), put(arguments.out_dims, out_dims);
  std::vector<double> reference;
  each_place(out_dims, [&](const Sizes& place) {
    int64_t at = 0, step = 1;
    bool inside = true;
    for (size_t k = 0; k < dims.size(); step *= dims[k++]) {
      inside = inside && place[k] >= before[k] && place[k] < before[k] + dims[k];
      at += (place[k] - before[k]) * step;
    }
    reference.push_back(inside ? x[at] : -7.5);
  });
  arguments.count = static_cast<int>(reference.size());
  check_elements<float>("pad", seed, reference, {}, failures, [&](const emulator::Order& order, float* out) {
    arguments.y = out;
    emulator::launch(element_launch("pad", order, pool), pad, arguments);
  });
}

inline double binary_reference(BinaryFunction function, double a, double b) {
  using enum BinaryFunction;
  switch (function) {
    case add:
      return a + b;
    case sub:
      return a - b;
    case mul:
      return a * b;
    case div:
      return a / b;
    case pow:
      return std::pow(a, b);
    case prelu:
      return a < 0 ? a * b : a;
    case min:
      return std::isnan(a) || std::isnan(b) ? NAN : std::min(a, b);
    case max:
      return std::isnan(a) || std::isnan(b) ? NAN : std::max(a, b);
  }
  return a;
}

// a [5, 4, 6] with 4 repeated, b [5, 4, 6] seen from behind its last dimension's start, both with a NaN
inline void binary_cases(uint64_t seed, ThreadPool* pool, Failures& failures) {
  const Sizes dims = {6, 4, 5}, strides_a = {1, 0, 6}, strides_b = {1, 6, 24};
  std::mt19937_64 random(seed);
  Tensor<float> a(30), b(120);
  fill(a, random, 2), fill(b, random, 2);
  a[3] = NAN, b[50] = NAN;
  for (int f = 0; f <= static_cast<int>(BinaryFunction::max); ++f) {
    const auto function = static_cast<BinaryFunction>(f);
    std::vector<double> reference;
    each_place(dims, [&](const Sizes& place) {
      reference.push_back(
          static_cast<float>(binary_reference(function, a[dot(place, strides_a)], b[dot(place, strides_b)])));
    });
    BinaryArguments arguments{a.data(), b.data(), nullptr, {}, {}, {}, 3, 120, function};
    put(arguments.dims, dims), put(arguments.strides_a, strides_a), put(arguments.strides_b, strides_b);
    check_elements<float>("binary " + std::to_string(f), seed, reference,
                          {function == BinaryFunction::pow ? 1e-6 : 0, 1e-30}, failures,
                          [&](const emulator::Order& order, float* out) {
                            arguments.y = out;
                            emulator::launch(element_launch("binary", order, pool), binary, arguments);
                          });
  }
}

inline void strided_cases(uint64_t seed, ThreadPool* pool, Failures& failures) {
  rearrange_case(1, 0, {}, {}, seed, pool, failures);
  rearrange_case(3 * 4 * 5, 0, {3, 5, 4}, {20, 1, 5}, seed + 1, pool, failures);                        // a transpose
  rearrange_case(100, 7, {9, 3}, {1, 30}, seed + 2, pool, failures);                                    // a slice
  rearrange_case(40, 39, {40}, {-1}, seed + 3, pool, failures);                                         // backwards
  rearrange_case(24, 2, {2, 3, 2, 1, 2, 2, 5, 3}, {1, 0, 2, 9, 4, 8, 0, 2}, seed + 4, pool, failures);  // of every rank
  pad_case({}, {}, {}, seed + 5, pool, failures);
  pad_case({7, 5}, {0, 2}, {3, 1}, seed + 6, pool, failures);
  pad_case({3, 6, 2, 4}, {1, 0, 2, 1}, {0, 2, 0, 3}, seed + 7, pool, failures);
  binary_cases(seed + 8, pool, failures);
}

}  // namespace ipa::cuda
