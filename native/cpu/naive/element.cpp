// Ops that look at one element at a time.
#include <cmath>

#include "cpu/naive/naive.h"
#include "cpu/split.h"

namespace ipa::cpu::naive {

// NaN goes through every function: comparisons are written so that it does.
float value(Function function, float x, float alpha, float beta) noexcept {
  const double v = x;
  switch (function) {
    case Function::identity:
      return x;
    case Function::relu:
      return x < 0 ? 0 : x;
    case Function::leaky_relu:
      return x < 0 ? x * alpha : x;
    case Function::silu:
      return static_cast<float>(v / (1 + std::exp(-v)));
    case Function::gelu:
      return static_cast<float>(0.5 * v * (1 + std::erf(v * 0.70710678118654752)));
    case Function::quick_gelu:
      return static_cast<float>(v / (1 + std::exp(-1.702 * v)));
    case Function::sigmoid:
      return static_cast<float>(1 / (1 + std::exp(-v)));
    case Function::tanh:
      return static_cast<float>(std::tanh(v));
    case Function::exp:
      return static_cast<float>(std::exp(v));
    case Function::sqrt:
      return std::sqrt(x);
    case Function::abs:
      return std::fabs(x);
    case Function::neg:
      return -x;
    case Function::clip:
      return x < alpha ? alpha : x > beta ? beta : x;
    case Function::floor:
      return std::floor(x);
    case Function::ceil:
      return std::ceil(x);
  }
  return x;
}

void apply(Function function, const float* x, float alpha, float beta, float* y, int64_t n) noexcept {
  for (int64_t i = 0; i < n; ++i) y[i] = value(function, x[i], alpha, beta);
}

void geglu(const float* x, float* y, int64_t rows, int64_t columns) noexcept {
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t i = 0; i < columns; ++i)
      y[row * columns + i] = x[row * 2 * columns + i] * value(Function::gelu, x[(row * 2 + 1) * columns + i]);
}

void add(const float* a, const float* b, float* y, int64_t n) noexcept {
  for (int64_t i = 0; i < n; ++i) y[i] = a[i] + b[i];
}

void add_scaled(const float* x, const float* y, float scale, float* out, int64_t n) noexcept {
  for (int64_t i = 0; i < n; ++i) out[i] = x[i] + scale * y[i];
}

void add_masked(Tensor x, const float* y, float scale, Tensor mask, float* out, const Context& c) noexcept {
  const int64_t width = x.shape.c, tokens = x.shape.tokens();
  split_rows(c, x.shape.rows(), width, [&](int64_t from, int64_t to) {
    for (int64_t row = from; row < to; ++row) {
      const float weight = scale * mask.data[mask.shape.n == 1 ? row % tokens : row];
      add_scaled(x.data + row * width, y + row * width, weight, out + row * width, width);
    }
  });
}

void add_channel(Tensor x, Tensor channel, float* y, const Context& c) noexcept {
  const int64_t width = x.shape.c, tokens = x.shape.tokens();
  split_rows(c, x.shape.rows(), width, [&](int64_t from, int64_t to) {
    for (int64_t row = from; row < to; ++row) {
      const float* added = channel.data + (channel.shape.n == 1 ? 0 : row / tokens) * width;  // [C]
      add(x.data + row * width, added, y + row * width, width);
    }
  });
}

void affine(Tensor x, const float* scale, const float* shift, float* y, const Context& c) noexcept {
  const int64_t width = x.shape.c;
  split_rows(c, x.shape.rows(), width, [&](int64_t from, int64_t to) {
    for (int64_t row = from; row < to; ++row)
      for (int64_t i = 0; i < width; ++i) y[row * width + i] = x.data[row * width + i] * scale[i] + shift[i];
  });
}

namespace {

float combine(BinaryKind kind, float a, float b) {
  switch (kind) {
    case BinaryKind::add:
      return a + b;
    case BinaryKind::sub:
      return a - b;
    case BinaryKind::mul:
      return a * b;
    case BinaryKind::div:
      return a / b;
    case BinaryKind::pow:
      return std::pow(a, b);
    case BinaryKind::prelu:
      return a < 0 ? a * b : a;
    case BinaryKind::min:
      return b < a || std::isnan(b) ? b : a;
    case BinaryKind::max:
      return b > a || std::isnan(b) ? b : a;
  }
  return a;
}

}  // namespace

void binary(const Binary& op, const float* a, const float* b, float* y, const Context& c) noexcept {
  const size_t rank = op.dims.size();
  const int64_t width = rank ? op.dims.back() : 1;  // elements of a row
  const int64_t step_a = rank ? op.strides_a.back() : 0, step_b = rank ? op.strides_b.back() : 0;
  split_rows(c, op.shape.size() / width, width, [&](int64_t from, int64_t to) {
    for (int64_t row = from; row < to; ++row) {
      int64_t at_a = 0, at_b = 0, rest = row;
      for (size_t k = rank ? rank - 1 : 0; k-- > 0; rest /= op.dims[k]) {
        at_a += rest % op.dims[k] * op.strides_a[k];
        at_b += rest % op.dims[k] * op.strides_b[k];
      }
      for (int64_t i = 0; i < width; ++i)
        y[row * width + i] = combine(op.kind, a[at_a + i * step_a], b[at_b + i * step_b]);
    }
  });
}

// The steps of the reference in its own precision: f32 up to the angle, whose rounding (3e-5 at timestep 999) shows.
// source: diffusers get_timestep_embedding
void sinusoid(const Sinusoid& op, Tensor x, float* y) noexcept {
  const int half = op.width / 2;
  for (int64_t i = 0; i < x.shape.size(); ++i)
    for (int j = 0; j < half; ++j) {
      const float exponent = -9.210340371976184f * static_cast<float>(j) / static_cast<float>(op.divisor);  // -ln 10000
      const float angle = x.data[i] * static_cast<float>(std::exp(static_cast<double>(exponent)));
      const float cosine = static_cast<float>(std::cos(static_cast<double>(angle)));
      const float sine = static_cast<float>(std::sin(static_cast<double>(angle)));
      y[i * op.width + j] = op.sin_first ? sine : cosine;
      y[i * op.width + half + j] = op.sin_first ? cosine : sine;
    }
}

}  // namespace ipa::cpu::naive
