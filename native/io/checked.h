#pragma once
// Arithmetic on sizes that a file claims. Every such sum and product goes through here; an overflow is an answer, not a
// value.
#include <cstdint>
#include <limits>
#include <optional>

#include "core/shape.h"

namespace ipa {

inline std::optional<uint64_t> checked_add(uint64_t a, uint64_t b) noexcept {
  uint64_t sum;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

inline std::optional<uint64_t> checked_mul(uint64_t a, uint64_t b) noexcept {
  uint64_t product;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

// True when [offset, offset + length) lies inside [0, size).
inline bool inside(uint64_t offset, uint64_t length, uint64_t size) noexcept {
  return offset <= size && length <= size - offset;
}

// Bytes of a contiguous tensor whose dimensions are not negative. A zero dimension does not excuse the others: their
// product must fit too, so that the answer does not depend on the order in which they are multiplied.
inline std::optional<uint64_t> checked_bytes(const Dims& dims, uint64_t element_bytes) noexcept {
  uint64_t bytes = element_bytes;
  bool empty = false;
  for (int64_t d : dims) {
    if (d < 0) return std::nullopt;
    if (d == 0) {
      empty = true;
      continue;
    }
    const std::optional<uint64_t> next = checked_mul(bytes, static_cast<uint64_t>(d));
    if (!next) return std::nullopt;
    bytes = *next;
  }
  if (bytes > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return std::nullopt;
  return empty ? 0 : bytes;
}

}  // namespace ipa
