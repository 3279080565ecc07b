#include "weights/tensor_values.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

#include "core/error.h"

namespace ipa {

std::vector<float> tensor_values(const TensorSource& source, const std::string& name) {
  const auto at = source.index.find(name);
  if (at == source.index.end())
    fail(Code::TENSOR_MISSING, source.label + " lacks " + quoted(name), "use a complete file of this kind",
         {{"tensor", name}, {"path", source.label}});
  const TensorInfo& info = at->second;
  std::vector<float> values(static_cast<size_t>(product(info.dims)));
  if (info.dtype == DType::f32) {
    source.read(name, 0, std::as_writable_bytes(std::span(values)));
    return values;
  }
  std::vector<std::byte> raw(values.size() * dtype_size(info.dtype));
  source.read(name, 0, raw);
  to_f32(info.dtype, raw.data(), values.data(), values.size());
  return values;
}

// A loop without a branch, which becomes vector code: NaN and infinity are what has all exponent bits set.
template <typename T>
static bool none_has_all(const void* numbers, size_t count, T exponent) noexcept {
  const T* n = static_cast<const T*>(numbers);
  T any = 0;
  for (size_t i = 0; i < count; ++i) any |= static_cast<T>((n[i] & exponent) == exponent ? 1 : 0);
  return any == 0;
}

bool all_finite(DType type, const void* numbers, size_t count) noexcept {
  if (type == DType::f32) return none_has_all<uint32_t>(numbers, count, 0x7f800000u);
  return none_has_all<uint16_t>(numbers, count, type == DType::f16 ? 0x7c00 : 0x7f80);
}

void check_finite(const std::vector<float>& values, const std::string& name, const std::string& label) {
  if (all_finite(DType::f32, values.data(), values.size())) return;
  const auto bad = [](float v) { return !std::isfinite(v); };
  const size_t count = static_cast<size_t>(std::count_if(values.begin(), values.end(), bad));
  const size_t first = static_cast<size_t>(std::find_if(values.begin(), values.end(), bad) - values.begin());
  fail(Code::TENSOR_NONFINITE,
       label + ": " + name + " holds " + std::to_string(count) + " numbers that are NaN or infinite, the first at " +
           std::to_string(first),
       "the file is damaged or was saved after a diverged training; fetch it again, or pass allowNonFinite",
       {{"tensor", name}, {"index", std::to_string(first)}, {"found", std::to_string(count)}, {"path", label}});
}

}  // namespace ipa
