#pragma once
// The three transforms of F(4x4, 3x3): the product of a 6 x 6 patch of the image with a 3 x 3 kernel, as polynomials
// through the points 0, a, -a, b, -b and infinity, gives 4 x 4 results with 36 multiplications instead of 144. a^2 =
// 1/2 and b^2 = 2: of the pairs tried (b / a = 2 with a = 1, 3/4, 1/sqrt 2; b / a = 1.5, 1.67, 2.4, 3; 1, -1, 1/2, -2)
// these have the smallest largest error, a third of the usual 1 and 2, and most coefficients are powers of two.
// source: arXiv 1509.09308
#include "cpu/kernels/vec.h"

namespace ipa::cpu::IPA_ISA {

inline constexpr int64_t kSide = 6, kPoints = kSide * kSide;  // of a transformed patch
inline constexpr int64_t kOut = 4;                            // results along one side
inline constexpr float kA = 0.70710678f, kB = 1.41421356f;

// Sums of products say with fma() which of them is rounded: left to the compiler, two copies of one formula may differ.
// Rows of G, one per point p: (1, p, p^2) / m'(p), m = x (x^2 - a^2) (x^2 - b^2).
inline constexpr float kOverA = -2.0f / 3, kOverB = 1.0f / 6;
inline constexpr float kWeightRows[kSide][3] = {{1, 0, 0},
                                                {kOverA, kOverA* kA, kOverA / 2},
                                                {kOverA, -kOverA* kA, kOverA / 2},
                                                {kOverB, kOverB* kB, kOverB * 2},
                                                {kOverB, -kOverB* kB, kOverB * 2},
                                                {0, 0, 1}};

// u [6] = G g [3]
IPA_INLINE void weights_at_points(V g0, V g1, V g2, V* u) {
  const V even_a = fma(splat(0.5f), g2, g0), even_b = fma(splat(2.0f), g2, g0);
  u[0] = g0;
  u[1] = splat(kOverA) * fma(splat(kA), g1, even_a), u[2] = splat(kOverA) * fma(splat(-kA), g1, even_a);
  u[3] = splat(kOverB) * fma(splat(kB), g1, even_b), u[4] = splat(kOverB) * fma(splat(-kB), g1, even_b);
  u[5] = g2;
}

// d [6] = B^T d
IPA_INLINE void image_at_points(V* d) {
  const V d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3], d4 = d[4], d5 = d[5];
  const V even_a = fma(splat(-2.0f), d2, d4), odd_a = fma(splat(-2.0f), d1, d3);
  const V even_b = fma(splat(-0.5f), d2, d4), odd_b = fma(splat(-0.5f), d1, d3);
  d[0] = fma(splat(-2.5f), d2, d0 + d4);
  d[1] = fma(splat(kA), odd_a, even_a), d[2] = fma(splat(-kA), odd_a, even_a);
  d[3] = fma(splat(kB), odd_b, even_b), d[4] = fma(splat(-kB), odd_b, even_b);
  d[5] = fma(splat(-2.5f), d3, d1 + d5);
}

// y [4] = A^T m [6]
IPA_INLINE void results_from_points(const V* m, V* y) {
  const V sum_a = m[1] + m[2], difference_a = m[1] - m[2], sum_b = m[3] + m[4], difference_b = m[3] - m[4];
  y[0] = m[0] + sum_a + sum_b;
  y[1] = splat(kA) * fma(splat(2.0f), difference_b, difference_a);
  y[2] = fma(splat(0.5f), sum_a, splat(2.0f) * sum_b);
  y[3] = fma(splat(kA), fma(splat(4.0f), difference_b, splat(0.5f) * difference_a), m[5]);
}

}  // namespace ipa::cpu::IPA_ISA
