#pragma once
// Little-endian numbers at any address. The caller has checked that they lie inside its bytes.
#include <bit>
#include <cstdint>
#include <cstring>

namespace ipa {

static_assert(std::endian::native == std::endian::little, "weight files are little-endian and so must the host be");

template <typename T>
T load(const void* from) noexcept {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

}  // namespace ipa
