#pragma once
// Element types of weight files and their conversion to f32. All arithmetic of the core starts from f32 or bf16.
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ipa {

enum class DType : uint8_t {
  f64,
  f32,
  f16,
  bf16,
  f8_e4m3,
  f8_e5m2,
  i64,
  i32,
  i16,
  i8,
  u64,
  u32,
  u16,
  u8,
  boolean,
  c64,
  unknown
};

size_t dtype_size(DType dtype) noexcept;       // bytes; 0 for unknown
const char* dtype_text(DType dtype) noexcept;  // "F32", "BF16" ... as safetensors spells them
DType dtype_from_text(std::string_view text) noexcept;

inline float bf16_to_f32(uint16_t v) noexcept { return std::bit_cast<float>(static_cast<uint32_t>(v) << 16); }
// Round to nearest even; NaN stays NaN.
inline uint16_t f32_to_bf16(float v) noexcept {
  const uint32_t u = std::bit_cast<uint32_t>(v);
  if ((u & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((u >> 16) | 0x40u);
  return static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}
float f16_to_f32(uint16_t v) noexcept;
uint16_t f32_to_f16(float v) noexcept;  // round to nearest even, overflow to infinity

// `from` need not be aligned. Integer types convert by value; `unknown` and c64 give TENSOR_DTYPE.
void to_f32(DType dtype, const std::byte* from, float* to, size_t count);

}  // namespace ipa
