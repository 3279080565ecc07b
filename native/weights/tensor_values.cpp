#include "weights/tensor_values.h"

#include <algorithm>
#include <bit>
#include <cmath>
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

void check_finite(const std::vector<float>& values, const std::string& name, const std::string& label) {
  // A loop without a branch, which becomes vector code: NaN and infinity are what has all exponent bits set.
  uint32_t any = 0;
  for (const float v : values) any |= (std::bit_cast<uint32_t>(v) & 0x7f800000u) == 0x7f800000u ? 1u : 0u;
  if (any == 0) return;
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
