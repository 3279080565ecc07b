#pragma once
// Arguments of a product y [m][n] = a w^T (+ bias), with nothing else done to it.
#include "cuda/kernels/product.h"

namespace ipa::cuda {

inline ProductArguments plain_product(const void* a, const void* w, const float* bias, void* y, int m, int n, int k) {
  ProductArguments arguments{};
  arguments.a = a, arguments.parts[0].w = w;
  ResultArguments& result = arguments.parts[0].result;
  result.bias = bias, result.y = y, result.rows_per_image = m;
  arguments.m = m, arguments.n = n, arguments.k = k;
  return arguments;
}

}  // namespace ipa::cuda
