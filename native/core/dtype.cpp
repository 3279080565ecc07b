#include "core/dtype.h"

#include <cstring>

#include "core/error.h"

namespace ipa {

namespace {

struct Row {
  DType dtype;
  const char* text;
  size_t size;  // bytes
};

constexpr Row kRows[] = {
    {DType::f64, "F64", 8},   {DType::f32, "F32", 4},         {DType::f16, "F16", 2},
    {DType::bf16, "BF16", 2}, {DType::f8_e4m3, "F8_E4M3", 1}, {DType::f8_e5m2, "F8_E5M2", 1},
    {DType::i64, "I64", 8},   {DType::i32, "I32", 4},         {DType::i16, "I16", 2},
    {DType::i8, "I8", 1},     {DType::u64, "U64", 8},         {DType::u32, "U32", 4},
    {DType::u16, "U16", 2},   {DType::u8, "U8", 1},           {DType::boolean, "BOOL", 1},
    {DType::c64, "C64", 8},
};

template <typename T, typename F>
void convert(const std::byte* from, float* to, size_t count, F f) {
  for (size_t i = 0; i < count; ++i) {
    T v;
    std::memcpy(&v, from + i * sizeof(T), sizeof(T));
    to[i] = f(v);
  }
}

// source: OCP 8-bit floating point specification. e4m3 has no infinity, e5m2 is a cut f16.
float e4m3_to_f32(uint8_t v) {
  const int exponent = (v >> 3) & 15, mantissa = v & 7;
  const float sign = v & 0x80 ? -1.0f : 1.0f;
  if (exponent == 15 && mantissa == 7) return std::bit_cast<float>(0x7fc00000u);
  if (exponent == 0) return sign * static_cast<float>(mantissa) * 0x1p-9f;
  return sign * std::bit_cast<float>(static_cast<uint32_t>((exponent + 120) << 23 | mantissa << 20));
}

}  // namespace

size_t dtype_size(DType dtype) noexcept {
  for (const Row& row : kRows)
    if (row.dtype == dtype) return row.size;
  return 0;
}

const char* dtype_text(DType dtype) noexcept {
  for (const Row& row : kRows)
    if (row.dtype == dtype) return row.text;
  return "unknown";
}

DType dtype_from_text(std::string_view text) noexcept {
  for (const Row& row : kRows)
    if (text == row.text) return row.dtype;
  return DType::unknown;
}

// Without branches, so that a loop over it becomes vector code on every CPU: the exponent is moved by a product, which
// also makes subnormals right, and what was infinite or NaN gets its exponent back.
float f16_to_f32(uint16_t v) noexcept {
  const uint32_t magnitude = static_cast<uint32_t>(v & 0x7fffu) << 13;
  const float scaled = std::bit_cast<float>(magnitude) * 0x1p112f;
  const uint32_t special = magnitude >= 0x0f800000u ? 0x7f800000u : 0u;
  return std::bit_cast<float>(std::bit_cast<uint32_t>(scaled) | special | static_cast<uint32_t>(v & 0x8000u) << 16);
}

uint16_t f32_to_f16(float v) noexcept {
  const uint32_t u = std::bit_cast<uint32_t>(v);
  const uint16_t sign = static_cast<uint16_t>((u >> 16) & 0x8000u);
  const uint32_t magnitude = u & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u);
  if (magnitude >= 0x47800000u) return static_cast<uint16_t>(sign | 0x7c00u);  // 65536 and above
  if (magnitude < 0x38800000u) {  // below 2^-14: subnormal, rounded by the addition
    const float scaled = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(scaled) - 0x3f000000u));
  }
  const uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
  return static_cast<uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}

void to_f32(DType dtype, const std::byte* from, float* to, size_t count) {
  const auto cast = [](auto v) { return static_cast<float>(v); };
  switch (dtype) {
    case DType::f32:
      std::memcpy(to, from, count * sizeof(float));
      return;
    case DType::f64:
      return convert<double>(from, to, count, cast);
    case DType::f16:
      return convert<uint16_t>(from, to, count, [](uint16_t v) { return f16_to_f32(v); });
    case DType::bf16:
      return convert<uint16_t>(from, to, count, [](uint16_t v) { return bf16_to_f32(v); });
    case DType::f8_e4m3:
      return convert<uint8_t>(from, to, count, e4m3_to_f32);
    case DType::f8_e5m2:
      return convert<uint8_t>(from, to, count, [](uint8_t v) { return f16_to_f32(static_cast<uint16_t>(v << 8)); });
    case DType::i64:
      return convert<int64_t>(from, to, count, cast);
    case DType::i32:
      return convert<int32_t>(from, to, count, cast);
    case DType::i16:
      return convert<int16_t>(from, to, count, cast);
    case DType::i8:
      return convert<int8_t>(from, to, count, cast);
    case DType::u64:
      return convert<uint64_t>(from, to, count, cast);
    case DType::u32:
      return convert<uint32_t>(from, to, count, cast);
    case DType::u16:
      return convert<uint16_t>(from, to, count, cast);
    case DType::u8:
    case DType::boolean:
      return convert<uint8_t>(from, to, count, cast);
    case DType::c64:
    case DType::unknown:
      break;
  }
  fail(Code::TENSOR_DTYPE, std::string("a tensor of type ") + dtype_text(dtype) + " cannot be used as weights",
       "convert the file to F16, BF16 or F32");
}

}  // namespace ipa
