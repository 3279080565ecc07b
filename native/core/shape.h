#pragma once
// Shapes. A value of a plan is always [N, H, W, C]; tokens are [N, 1, T, C] and an image is its own token sequence.
#include <cstdint>
#include <string>
#include <vector>

namespace ipa {

struct Shape {
  int64_t n = 1, h = 1, w = 1, c = 1;
  int64_t tokens() const { return h * w; }
  int64_t rows() const { return n * h * w; }
  int64_t size() const { return n * h * w * c; }
  bool operator==(const Shape&) const = default;
};

inline std::string text(const Shape& s) {
  return "[" + std::to_string(s.n) + ", " + std::to_string(s.h) + ", " + std::to_string(s.w) + ", " +
         std::to_string(s.c) + "]";
}

// Dimensions of a tensor in a file, any rank, row-major.
using Dims = std::vector<int64_t>;

inline int64_t product(const Dims& dims) {
  int64_t p = 1;
  for (int64_t d : dims) p *= d;
  return p;
}

inline std::string text(const Dims& dims) {
  std::string s = "[";
  for (size_t i = 0; i < dims.size(); ++i) s += (i ? ", " : "") + std::to_string(dims[i]);
  return s + "]";
}

}  // namespace ipa
