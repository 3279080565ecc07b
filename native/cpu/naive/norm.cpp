// Ops that need the statistics of a row or a group: normalisations, softmax, reductions. Two passes, sums in f64.
#include <algorithm>
#include <cmath>

#include "cpu/naive/naive.h"
#include "cpu/split.h"

namespace ipa::cpu::naive {

namespace {

struct Spread {
  double mean, squares;  // the sum of squared deviations from the mean
};

// Of `width` channels from x on, of `pixels` pixels that are `channels` numbers apart.
Spread spread_of(const float* x, int64_t pixels, int64_t channels, int64_t width) {
  Spread s{0, 0};
  for (int64_t p = 0; p < pixels; ++p)
    for (int64_t ch = 0; ch < width; ++ch) s.mean += x[p * channels + ch];
  s.mean /= static_cast<double>(pixels * width);
  for (int64_t p = 0; p < pixels; ++p)
    for (int64_t ch = 0; ch < width; ++ch) {
      const double off = x[p * channels + ch] - s.mean;
      s.squares += off * off;
    }
  return s;
}

// Of a group over all rows, from the moments of each: [rows, groups, 2], `count` numbers a row.
Spread joined(const float* moments, int64_t rows, int groups, int64_t group, int64_t count) {
  Spread s{0, 0};
  const auto pair = [&](int64_t row) { return moments + 2 * (row * groups + group); };
  for (int64_t row = 0; row < rows; ++row) s.mean += pair(row)[0];
  s.mean /= static_cast<double>(rows);
  for (int64_t row = 0; row < rows; ++row) {
    const double off = pair(row)[0] - s.mean;
    s.squares += pair(row)[1] + off * off * static_cast<double>(count);
  }
  return s;
}

}  // namespace

void moments(Tensor x, int groups, float* y, const Context& c) noexcept {
  const int64_t width = x.shape.c / groups, line = x.shape.w * x.shape.c;
  split_rows(c, x.shape.n * x.shape.h, line, [&](int64_t from, int64_t to) {
    for (int64_t row = from; row < to; ++row)
      for (int64_t group = 0; group < groups; ++group) {
        const Spread s = spread_of(x.data + row * line + group * width, x.shape.w, x.shape.c, width);
        float* const pair = y + 2 * (row * groups + group);
        pair[0] = static_cast<float>(s.mean), pair[1] = static_cast<float>(s.squares);
      }
  });
}

void group_norm(const GroupNormArgs& a, const Context& c) noexcept {
  const int64_t width = a.channels / a.groups;
  split_rows(c, a.images * a.groups, width * a.pixels, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      const int64_t group = i % a.groups, first = group * width;  // channel where the group begins
      const float* x = a.x + i / a.groups * a.pixels * a.channels;
      float* y = a.y + (x - a.x);
      const Spread s =
          a.moments ? joined(a.moments + i / a.groups * a.rows * 2 * a.groups, a.rows, a.groups, group, a.width * width)
                    : spread_of(x + first, a.pixels, a.channels, width);
      const double mean = s.mean, count = static_cast<double>(width * (a.moments ? a.rows * a.width : a.pixels));
      const double factor = 1 / std::sqrt(s.squares / count + a.eps);
      for (int64_t p = 0; p < a.pixels; ++p)
        for (int64_t ch = first; ch < first + width; ++ch) {
          const double v = (x[p * a.channels + ch] - mean) * factor * a.scale[ch] + a.shift[ch];
          y[p * a.channels + ch] = value(a.function, static_cast<float>(v));
        }
    }
  });
}

void layer_norm(const LayerNormArgs& a, const Context& c) noexcept {
  split_rows(c, a.rows, a.channels, [&](int64_t from, int64_t to) {
    for (int64_t row = from; row < to; ++row) {
      const float* x = a.x + row * a.channels;
      float* y = a.y + row * a.channels;
      double mean = 0, variance = 0;
      for (int64_t i = 0; i < a.channels; ++i) mean += x[i];
      mean /= static_cast<double>(a.channels);
      for (int64_t i = 0; i < a.channels; ++i) variance += (x[i] - mean) * (x[i] - mean);
      const double factor = 1 / std::sqrt(variance / static_cast<double>(a.channels) + a.eps);
      for (int64_t i = 0; i < a.channels; ++i)
        y[i] = static_cast<float>((x[i] - mean) * factor * a.scale[i] + a.shift[i]);
    }
  });
}

void softmax(const float* x, int64_t rows, int64_t channels, float* y, const Context& c) noexcept {
  split_rows(c, rows, channels, [&](int64_t from, int64_t to) {
    for (int64_t row = from; row < to; ++row) {
      const float* in = x + row * channels;
      float* out = y + row * channels;
      const double highest = *std::max_element(in, in + channels);
      double total = 0;
      for (int64_t i = 0; i < channels; ++i) total += std::exp(in[i] - highest);
      for (int64_t i = 0; i < channels; ++i) out[i] = static_cast<float>(std::exp(in[i] - highest) / total);
    }
  });
}

void reduce(const Reduce& op, const float* x, float* y, const Context& c) noexcept {
  split_rows(c, op.outer * op.inner, op.count, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      const float* in = x + i / op.inner * op.count * op.inner + i % op.inner;
      double sum = 0;
      float highest = in[0];
      for (int64_t j = 0; j < op.count; ++j) {
        const float v = in[j * op.inner];
        sum += op.kind == ReduceKind::l2 ? static_cast<double>(v) * v : v;
        if (v > highest || std::isnan(v)) highest = v;
      }
      switch (op.kind) {
        case ReduceKind::mean:
          y[i] = static_cast<float>(sum / static_cast<double>(op.count));
          break;
        case ReduceKind::sum:
          y[i] = static_cast<float>(sum);
          break;
        case ReduceKind::max:
          y[i] = highest;
          break;
        case ReduceKind::l2:
          y[i] = static_cast<float>(std::sqrt(sum));
          break;
      }
    }
  });
}

}  // namespace ipa::cpu::naive
