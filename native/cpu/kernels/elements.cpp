// Element functions and sums: one read (two for sums) and one write per number, bound by memory. The backend splits
// long ranges over threads; an element's result does not depend on where a range starts.
#include "cpu/kernels/kernels_of_level.h"
#include "cpu/kernels/math.h"

namespace ipa::cpu::IPA_ISA {

template <typename F>
IPA_INLINE void map(const float* x, float* y, int64_t n, const F& f) {
  int64_t i = 0;
  for (; i + kPanel <= n; i += kPanel) {
    const V a = f(load(x + i)), b = f(load(x + i + kLanes));
    store(y + i, a), store(y + i + kLanes, b);
  }
  for (; i < n; i += kLanes) store_part(y + i, f(load_part(x + i, n - i)), n - i);
}

void apply(Function function, const float* x, float alpha, float beta, float* y, int64_t n) noexcept {
  const V a = splat(alpha), b = splat(beta);
  switch (function) {
    case Function::identity:
      return map(x, y, n, [](V v) { return v; });
    case Function::relu:
      return map(x, y, n, [](V v) { return activate<Function::relu>(v); });
    case Function::leaky_relu:
      return map(x, y, n, [&](V v) { return v < V{} ? v * a : v; });
    case Function::silu:
      return map(x, y, n, [](V v) { return silu(v); });
    case Function::gelu:
      return map(x, y, n, [](V v) { return gelu(v); });
    case Function::quick_gelu:
      return map(x, y, n, [](V v) { return quick_gelu(v); });
    case Function::sigmoid:
      return map(x, y, n, [](V v) { return sigmoid(v); });
    case Function::tanh:
      return map(x, y, n, [](V v) { return tanh(v); });
    case Function::exp:
      return map(x, y, n, [](V v) { return exp(v); });
    case Function::sqrt:
      return map(x, y, n, [](V v) { return square_root(v); });
    case Function::abs:
      return map(x, y, n, [](V v) { return magnitude(v); });
    case Function::neg:
      return map(x, y, n, [](V v) { return -v; });
    case Function::clip:
      return map(x, y, n, [&](V v) { return smaller(b, larger(a, v)); });
    case Function::floor:
      return map(x, y, n, [](V v) { return floor(v); });
    case Function::ceil:
      return map(x, y, n, [](V v) { return -floor(-v); });
  }
}

void geglu(const float* x, float* y, int64_t rows, int64_t columns) noexcept {
  for (int64_t row = 0; row < rows; ++row, x += 2 * columns, y += columns)
    for (int64_t i = 0; i < columns; i += kLanes) {
      const int64_t n = columns - i;
      store_part(y + i, load_part(x + i, n) * gelu(load_part(x + columns + i, n)), n);
    }
}

void add(const float* a, const float* b, float* y, int64_t n) noexcept {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) store(y + i, load(a + i) + load(b + i));
  for (; i < n; ++i) y[i] = a[i] + b[i];
}

void add_scaled(const float* x, const float* y, float scale, float* out, int64_t n) noexcept {
  if (scale == 0.0f) return map(x, out, n, [](V v) { return v; });  // exactly x, whatever y holds
  const V s = splat(scale);
  for (int64_t i = 0; i < n; i += kLanes)
    store_part(out + i, fma(load_part(y + i, n - i), s, load_part(x + i, n - i)), n - i);
}

}  // namespace ipa::cpu::IPA_ISA
