// Ops that only move elements.
#include <algorithm>
#include <cmath>

#include "cpu/naive/naive.h"
#include "cpu/split.h"

namespace ipa::cpu::naive {
namespace {

// A whole number carried as f32, held inside [0, count): what a caller bound may be anything, memory stays ours.
int64_t position(float v, int64_t count) {
  if (!(v > 0)) return 0;
  return std::min(static_cast<int64_t>(std::min(v, 1e9f)), count - 1);
}

}  // namespace

void copy_rows(const float* x, int64_t rows, int64_t width, int64_t step, float* y, const Context& c) noexcept {
  split_rows(c, rows, width, [&](int64_t from, int64_t to) {
    for (int64_t row = from; row < to; ++row) std::copy_n(x + row * width, width, y + row * step);
  });
}

void rearrange(const Rearrange& op, const float* x, float* y, const Context& c) noexcept {
  const size_t rank = op.dims.size();
  const int64_t width = rank ? op.dims.back() : 1, step = rank ? op.strides.back() : 0;
  split_rows(c, op.shape.size() / width, width, [&](int64_t from, int64_t to) {
    for (int64_t row = from; row < to; ++row) {
      int64_t at = op.offset, rest = row;
      for (size_t k = rank ? rank - 1 : 0; k-- > 0; rest /= op.dims[k]) at += rest % op.dims[k] * op.strides[k];
      float* out = y + row * width;
      if (step == 1)
        std::copy_n(x + at, width, out);
      else
        for (int64_t i = 0; i < width; ++i) out[i] = x[at + i * step];
    }
  });
}

void pad(const Pad& op, const float* x, float* y, const Context& c) noexcept {
  const size_t rank = op.dims.size();
  const int64_t width = rank ? op.dims.back() : 1, before = rank ? op.before.back() : 0;
  const int64_t out_width = width + before + (rank ? op.after.back() : 0);
  split_rows(c, op.shape.size() / out_width, out_width, [&](int64_t from, int64_t to) {
    for (int64_t row = from; row < to; ++row) {
      float* out = y + row * out_width;
      std::fill_n(out, out_width, op.value);
      int64_t at = 0, step = width, rest = row;
      bool inside = true;
      for (size_t k = rank ? rank - 1 : 0; k-- > 0;) {
        const int64_t size = op.before[k] + op.dims[k] + op.after[k], i = rest % size - op.before[k];
        inside = inside && i >= 0 && i < op.dims[k];
        at += i * step, step *= op.dims[k], rest /= size;
      }
      if (inside) std::copy_n(x + at, width, out + before);
    }
  });
}

void embed(Tensor ids, const float* table, int64_t table_rows, int64_t width, float* y) noexcept {
  for (int64_t i = 0; i < ids.shape.size(); ++i)
    std::copy_n(table + position(ids.data[i], table_rows) * width, width, y + i * width);
}

void parameter(const float* weight, const Shape& shape, float* y) noexcept {
  const int64_t count = shape.tokens() * shape.c;
  for (int64_t n = 0; n < shape.n; ++n) std::copy_n(weight, count, y + n * count);
}

void take_token(Tensor x, const float* index, float* y) noexcept {
  const int64_t tokens = x.shape.tokens(), width = x.shape.c;
  for (int64_t n = 0; n < x.shape.n; ++n)
    std::copy_n(x.data + (n * tokens + position(index[n], tokens)) * width, width, y + n * width);
}

}  // namespace ipa::cpu::naive
