#include "weights/lora_products.h"

#include <cmath>

namespace ipa {

namespace {

// values [rows, columns] += factor · left [rows, rank] · right [rank, columns]. A block of columns stays in registers
// over the rank; the fixed length lets the compiler vectorise it.
void add_product(float* values, const float* left, const float* right, size_t rows, size_t rank, size_t columns,
                 float factor) {
  constexpr size_t kBlock = 32;
  for (size_t o = 0; o < rows; ++o) {
    float* row = values + o * columns;
    size_t c = 0;
    for (; c + kBlock <= columns; c += kBlock) {
      float sum[kBlock] = {};
      for (size_t r = 0; r < rank; ++r) {
        const float u = left[o * rank + r];
        const float* d = right + r * columns + c;
        for (size_t i = 0; i < kBlock; ++i) sum[i] += u * d[i];
      }
      for (size_t i = 0; i < kBlock; ++i) row[c + i] += factor * sum[i];
    }
    for (; c < columns; ++c) {
      float sum = 0;
      for (size_t r = 0; r < rank; ++r) sum += left[o * rank + r] * right[r * columns + c];
      row[c] += factor * sum;
    }
  }
}

void add_rows(float* values, const LoraMatrix& m, size_t first, size_t count, float factor) {
  if (!m.left.empty())
    return add_product(values, m.left.data() + first * m.rank, m.right.data(), count, m.rank, m.columns, factor);
  const float* from = m.right.data() + first * m.columns;
  for (size_t i = 0; i < count * m.columns; ++i) values[i] += factor * from[i];
}

// The rows as numbers, in `room`.
const float* rows_of(const LoraMatrix& m, size_t first, size_t count, std::vector<float>& room) {
  if (m.left.empty()) return m.right.data() + first * m.columns;
  room.assign(count * m.columns, 0.0f);
  add_rows(room.data(), m, first, count, 1);
  return room.data();
}

}  // namespace

std::vector<float> with_core(const std::vector<float>& core, const std::vector<float>& right, size_t rank) {
  const size_t inputs = right.size() / rank, window = core.size() / (rank * rank);
  std::vector<float> out(rank * inputs * window);
  for (size_t n = 0; n < rank; ++n)
    for (size_t m = 0; m < rank; ++m)
      for (size_t j = 0; j < inputs; ++j)
        for (size_t k = 0; k < window; ++k)
          out[(n * inputs + j) * window + k] += core[(n * rank + m) * window + k] * right[m * inputs + j];
  return out;
}

std::vector<float> transposed(const std::vector<float>& values, size_t rows, size_t columns) {
  std::vector<float> out(values.size());
  for (size_t r = 0; r < rows; ++r)
    for (size_t c = 0; c < columns; ++c) out[c * rows + r] = values[r * columns + c];
  return out;
}

void add_matrix(float* values, std::span<const LoraMatrix> matrices, float factor) {
  add_rows(values, matrices[0], 0, matrices[0].rows, factor);
}

void add_hadamard_product(float* values, std::span<const LoraMatrix> matrices, float factor) {
  std::vector<float> first, second;  // a row at a time: a whole product is as large as the weight
  const size_t columns = matrices[0].columns;
  for (size_t o = 0; o < matrices[0].rows; ++o) {
    const float* a = rows_of(matrices[0], o, 1, first);
    const float* b = rows_of(matrices[1], o, 1, second);
    for (size_t c = 0; c < columns; ++c) values[o * columns + c] += factor * (a[c] * b[c]);
  }
}

// Where the second has a window, [k, n · window], the flattened product is that of the four dimensions.
void add_kronecker_product(float* values, std::span<const LoraMatrix> matrices, float factor) {
  const LoraMatrix &a = matrices[0], &b = matrices[1];
  std::vector<float> room_a, room_b;
  const float* first = rows_of(a, 0, a.rows, room_a);
  const float* second = rows_of(b, 0, b.rows, room_b);
  for (size_t l = 0; l < a.rows; ++l)
    for (size_t k = 0; k < b.rows; ++k) {
      float* row = values + (l * b.rows + k) * a.columns * b.columns;
      for (size_t m = 0; m < a.columns; ++m, row += b.columns) {
        const float f = factor * first[l * a.columns + m];
        for (size_t n = 0; n < b.columns; ++n) row[n] += f * second[k * b.columns + n];
      }
    }
}

void rescale(std::vector<float>& values, const std::vector<float>& v, size_t rows, const std::vector<float>& magnitude,
             bool per_input, float strength) {
  const size_t columns = values.size() / rows, inputs = per_input ? magnitude.size() : 1, window = columns / inputs;
  std::vector<double> squares(magnitude.size());  // f64: a norm has up to some 10^4 terms
  const auto each = [&](const auto& f) {
    for (size_t o = 0, i = 0; o < rows; ++o)
      for (size_t c = 0; c < inputs; ++c)
        for (size_t k = 0; k < window; ++k, ++i) f(per_input ? c : o, i);
  };
  each([&](size_t group, size_t i) { squares[group] += static_cast<double>(v[i]) * v[i]; });
  std::vector<float> factors(magnitude.size());
  for (size_t g = 0; g < factors.size(); ++g)  // what is 0 has no direction, and stays 0
    factors[g] = squares[g] > 0 ? strength * static_cast<float>(magnitude[g] / std::sqrt(squares[g])) : 0;
  each([&](size_t group, size_t i) { values[i] = (1 - strength) * values[i] + factors[group] * v[i]; });
}

}  // namespace ipa
