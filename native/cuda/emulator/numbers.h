#pragma once
// Numbers of 16 bits to f32, inline; four at once besides, since a product of a warp converts 384 of them.
#include <bit>
#include <cstdint>

namespace ipa::cuda::emulator {

// Exact: the bits of the half as those of a float whose exponent is 112 too small; infinity and NaN set apart.
inline float half_to_float(uint16_t bits) {
  const uint32_t magnitude = static_cast<uint32_t>(bits & 0x7fffu) << 13;
  const uint32_t special = magnitude >= 0x0f800000u ? 0x7f800000u : 0u;
  const uint32_t value = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112f);
  return std::bit_cast<float>(value | special | static_cast<uint32_t>(bits & 0x8000u) << 16);
}

inline float bfloat_to_float(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

using Four = float __attribute__((vector_size(16)));
using FourBits = uint32_t __attribute__((vector_size(16)));

inline Four halves_to_floats(FourBits bits) {
  const FourBits magnitude = (bits & 0x7fffu) << 13;
  const FourBits special = reinterpret_cast<FourBits>(magnitude >= 0x0f800000u) & 0x7f800000u;
  const FourBits value = reinterpret_cast<FourBits>(reinterpret_cast<Four>(magnitude) * 0x1p112f);
  return reinterpret_cast<Four>(value | special | (bits & 0x8000u) << 16);
}

inline Four bfloats_to_floats(FourBits bits) { return reinterpret_cast<Four>(bits << 16); }

}  // namespace ipa::cuda::emulator
