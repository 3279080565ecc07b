#pragma once
// Where the sums of the naive matrix product and convolution go (ResultPath), and one column of a packed weight.
#include "cpu/naive/naive.h"
#include "cpu/split.h"

namespace ipa::cpu::naive {

inline constexpr int64_t kColumnParts = 16;  // columns are cut into so many parts, each with a scratch of its own

inline int64_t result_columns(const ResultPath& r, int64_t n) { return r.geglu ? n / 2 : n; }

// Two columns of K floats: the weight of a result column, and of its gate.
inline size_t column_scratch(int64_t k) { return static_cast<size_t>(kColumnParts * 2 * k) * sizeof(float); }

// f(column, weight [K], gate [K] or null) for every column of the result.
template <typename F>
void for_each_column(const Level& level, const PackedMatrix& w, const ResultPath& r, const Context& c, const F& f) {
  const int64_t columns = result_columns(r, w.n), grain = (columns + kColumnParts - 1) / kColumnParts;
  split(c, columns, grain, [&](int64_t from, int64_t to) {
    float* weight = reinterpret_cast<float*>(c.scratch) + from / grain * 2 * w.k;
    float* gate = r.geglu ? weight + w.k : nullptr;
    for (int64_t n = from; n < to && !c.stop.raised(); ++n) {
      const int64_t column = r.geglu ? level.geglu_column(n, w.n) : n;
      for (int64_t k = 0; k < w.k; ++k) weight[k] = level.packed_at(w, k, column);
      if (gate) {
        const int64_t gate_column = level.geglu_column(n + columns, w.n);
        for (int64_t k = 0; k < w.k; ++k) gate[k] = level.packed_at(w, k, gate_column);
      }
      f(n, weight, gate);
    }
  });
}

// One number of the result. `gate` is the gate's sum when r.geglu.
inline void store(const ResultPath& r, int64_t row, int64_t image, int64_t n, int64_t columns, double sum,
                  double gate) {
  const auto biased = [&](double s, int64_t column) {
    if (r.bias) s += r.bias[column];
    if (r.channel) s += r.channel[image * r.channel_step + column];
    return static_cast<float>(s);
  };
  float v = value(r.function, biased(sum, n));
  if (r.geglu) v *= value(Function::gelu, biased(gate, n + columns));
  if (r.residual) v += r.residual[row * columns + n];
  r.y[row * columns + n] = v;
}

inline double dot(const float* a, const float* b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

}  // namespace ipa::cpu::naive
