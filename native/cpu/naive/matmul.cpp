// Matrix products: y [M, N] = a [M, K] . W, and a . b of two values.
#include "cpu/naive/result.h"

namespace ipa::cpu::naive {

size_t matmul_scratch(const MatMulArgs& a) noexcept { return column_scratch(a.w.k); }

void matmul(const Level& level, const MatMulArgs& a, const Context& c) noexcept {
  const int64_t k = a.w.k, columns = result_columns(a.result, a.w.n);
  for_each_column(level, a.w, a.result, c, [&](int64_t n, const float* weight, const float* gate) {
    for (int64_t m = 0; m < a.m; ++m) {
      const float* row = a.a + m * k;
      store(a.result, m, m / a.rows_per_image, n, columns, dot(row, weight, k), gate ? dot(row, gate, k) : 0);
    }
  });
}

void batched_matmul(const MatMul& op, const float* a, const float* b, float* y, const Context& c) noexcept {
  const int64_t rows = std::max(op.batch_a, op.batch_b) * op.m;
  split_rows(c, rows, op.k * op.n / 16, [&](int64_t from, int64_t to) {
    for (int64_t row = from; row < to; ++row) {
      const int64_t batch = row / op.m;
      const float* left = a + ((op.batch_a == 1 ? 0 : batch) * op.m + row % op.m) * op.k;  // [K]
      const float* right = b + (op.batch_b == 1 ? 0 : batch) * op.k * op.n;                // [K, N]
      for (int64_t n = 0; n < op.n; ++n) {
        double sum = 0;
        for (int64_t k = 0; k < op.k; ++k) sum += static_cast<double>(left[k]) * right[k * op.n + n];
        y[row * op.n + n] = static_cast<float>(sum);
      }
    }
  });
}

}  // namespace ipa::cpu::naive
