#include "io/save_safetensors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "core/error.h"
#include "io/output_file.h"

namespace ipa {

namespace {

constexpr size_t kBlock = size_t{1} << 20;  // numbers that are read, rounded and written at once

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    constexpr const char* kHex = "0123456789abcdef";
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      out += '\\', out += c;
    else if (code < 0x20)
      out += "\\u00", out += kHex[code >> 4], out += kHex[code & 15];
    else
      out += c;
  }
  return out + '"';
}

uint64_t bytes_of(const TensorInfo& info, DType dtype) {
  return static_cast<uint64_t>(product(info.dims)) * dtype_size(dtype);
}

// The length, the header, and blanks so that data begins at a multiple of 8.
std::string header_of(std::span<const TensorSource> sources, const SaveOptions& options) {
  std::string json = "{";
  if (!options.metadata.empty()) {
    json += "\"__metadata__\":{";
    for (const auto& [key, value] : options.metadata)
      json += (json.back() == '{' ? "" : ",") + json_text(key) + ":" + json_text(value);
    json += "}";
  }
  uint64_t at = 0;
  for (const TensorSource& source : sources)
    for (const auto& [name, info] : source.index) {
      const uint64_t end = at + bytes_of(info, options.dtype);
      json += (json.size() == 1 ? "" : ",") + json_text(name) + ":{\"dtype\":\"" + dtype_text(options.dtype) +
              "\",\"shape\":[";
      for (size_t i = 0; i < info.dims.size(); ++i) json += (i ? "," : "") + std::to_string(info.dims[i]);
      json += "],\"data_offsets\":[" + std::to_string(at) + "," + std::to_string(end) + "]}";
      at = end;
    }
  json += "}";
  json.append((8 - json.size() % 8) % 8, ' ');
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>(json.size() >> (8 * i) & 0xff);
  return out + json;
}

// f64 -> f32 by rounding to odd: what is rounded once more, to fewer than half as many bits, comes out as if it had
// been rounded once.   source: Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008
float odd_f32(double v) {
  const auto near = static_cast<float>(v);
  if (!std::isfinite(v) || static_cast<double>(near) == v) return near;
  uint32_t bits = std::bit_cast<uint32_t>(near);
  if (std::abs(static_cast<double>(near)) > std::abs(v)) --bits;  // towards zero
  return std::bit_cast<float>(bits | 1u);
}

void read_numbers(DType from, DType to, const std::vector<std::byte>& raw, std::vector<float>& values) {
  if (from != DType::f64 || to == DType::f32) return to_f32(from, raw.data(), values.data(), values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    double v;
    std::memcpy(&v, raw.data() + i * sizeof(v), sizeof(v));
    values[i] = odd_f32(v);
  }
}

std::vector<std::byte> rounded(DType dtype, const std::vector<float>& values) {
  std::vector<std::byte> out(values.size() * dtype_size(dtype));
  if (dtype == DType::f32) {
    std::memcpy(out.data(), values.data(), out.size());
    return out;
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const uint16_t half = dtype == DType::f16 ? f32_to_f16(values[i]) : f32_to_bf16(values[i]);
    std::memcpy(out.data() + 2 * i, &half, sizeof(half));
  }
  return out;
}

// `first`: of the tensor's numbers the one that values begins with.
void check_range(const TensorSource& source, const std::string& name, size_t first, const std::vector<float>& values,
                 const SaveOptions& options) {
  // Above these a number is rounded to infinity: half a unit in the last place over the largest one.
  constexpr float kMostF16 = 65520, kMostBf16 = 0x1.ffp127f;
  const float most = options.dtype == DType::f16    ? kMostF16
                     : options.dtype == DType::bf16 ? kMostBf16
                                                    : std::numeric_limits<float>::infinity();
  const auto bad = [&](float v) { return !(std::abs(v) < most); };
  const auto at = std::find_if(values.begin(), values.end(),
                               [&](float v) { return bad(v) && !(options.allow_nonfinite && !std::isfinite(v)); });
  if (at == values.end()) return;
  const std::string place = std::to_string(first + static_cast<size_t>(at - values.begin()));
  if (!std::isfinite(*at))
    fail(Code::TENSOR_NONFINITE, source.label + ": " + name + " holds NaN or infinity, at number " + place,
         "the file is damaged or was saved after a diverged training; fetch it again, or pass allowNonFinite",
         {{"tensor", name}, {"index", place}, {"path", source.label}});
  fail(Code::TENSOR_DTYPE,
       source.label + ": " + name + " holds " + std::to_string(*at) + " at number " + place + ", more than " +
           dtype_text(options.dtype) + " has",
       options.dtype == DType::f16 ? "write it with dtype bf16 or f32" : "write it with dtype f32",
       {{"tensor", name}, {"index", place}, {"found", std::to_string(*at)}, {"path", source.label}});
}

void write_tensor(OutputFile& file, const TensorSource& source, const std::string& name, const TensorInfo& info,
                  const SaveOptions& options) {
  const size_t size = dtype_size(info.dtype), count = static_cast<size_t>(product(info.dims));
  // What is turned or computed is read at once: a part of it takes as long.
  const size_t block = info.scattered ? std::max<size_t>(count, 1) : kBlock;
  std::vector<std::byte> raw;
  std::vector<float> values;
  for (size_t first = 0; first < count; first += block) {
    if (options.stop && options.stop->raised()) fail(Code::ABORTED, "writing was cancelled", "write it again");
    const size_t here = std::min(block, count - first);
    raw.resize(here * size), values.resize(here);
    source.read(name, first * size, raw);
    read_numbers(info.dtype, options.dtype, raw, values);
    check_range(source, name, first, values, options);
    const std::vector<std::byte> out = rounded(options.dtype, values);
    file.write(out);
    if (options.written) options.written(out.size());
  }
}

}  // namespace

uint64_t saved_bytes(std::span<const TensorSource> sources, DType dtype) {
  uint64_t bytes = 0;
  for (const TensorSource& source : sources)
    for (const auto& [name, info] : source.index) bytes += bytes_of(info, dtype);
  return bytes;
}

void save_safetensors(const std::string& path, std::span<const TensorSource> sources, const SaveOptions& options) {
  OutputFile file(path);
  const std::string header = header_of(sources, options);
  file.write(std::as_bytes(std::span(header)));
  for (const TensorSource& source : sources)
    for (const auto& [name, info] : source.index) write_tensor(file, source, name, info, options);
  file.keep();
}

}  // namespace ipa
