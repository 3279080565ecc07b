#include "weights/synthetic.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/dtype.h"
#include "core/error.h"

namespace ipa {

namespace {

uint64_t fnv1a64(std::string_view text) {
  uint64_t h = 0xcbf29ce484222325ull;
  for (const char c : text) h = (h ^ static_cast<uint8_t>(c)) * 0x100000001b3ull;
  return h;
}

// Uniform in [0, 1) with 24 bits: number i of the sequence with this hash.   source: SplitMix64
double uniform(uint64_t hash, uint64_t i) {
  uint64_t z = hash + (i + 1) * 0x9e3779b97f4a7c15ull;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ z >> 27) * 0x94d049bb133111ebull;
  z ^= z >> 31;
  return static_cast<double>(z >> 40) * 0x1p-24;
}

struct Rule {
  double offset, amplitude;
};

Rule rule(std::string_view name, const Dims& dims) {
  if (dims.empty()) return {0.5, 0.25};
  if (dims.size() == 1) return name.ends_with("weight") || name.ends_with("running_var") ? Rule{1, 0.1} : Rule{0, 0.05};
  return {0, std::sqrt(3.0 / static_cast<double>(product(dims) / dims[0]))};
}

}  // namespace

TensorSource synthetic(std::string prefix, TensorIndex index, std::vector<std::pair<std::string, float>> factors) {
  for (auto& [name, info] : index) info.dtype = DType::f32;
  TensorSource source;
  source.label = prefix + " (synthetic)";
  source.index = index;
  source.read = [prefix = std::move(prefix), index = std::move(index), factors = std::move(factors)](
                    const std::string& name, uint64_t first, std::span<std::byte> out) {
    const auto at = index.find(name);
    if (at == index.end())
      fail(Code::TENSOR_MISSING, "tensor " + quoted(name) + " is missing", "the list of synthetic tensors lacks it",
           {{"tensor", name}});
    const auto [offset, amplitude] = rule(name, at->second.dims);
    const uint64_t hash = fnv1a64(prefix + "/" + name);
    float factor = 1;
    for (const auto& [end, value] : factors) {
      if (!name.ends_with(end)) continue;
      factor = value;
      break;
    }
    for (size_t i = 0; i < out.size() / sizeof(float); ++i) {
      const float value =
          static_cast<float>(offset + amplitude * (2 * uniform(hash, first / sizeof(float) + i) - 1)) * factor;
      std::memcpy(out.data() + i * sizeof(float), &value, sizeof(float));
    }
  };
  return source;
}

TensorSource halved(TensorSource source) {
  TensorSource halves{source.label, source.index, {}, "", {}, nullptr};
  for (auto& [name, info] : halves.index) info.dtype = DType::f16;
  halves.read = [source = std::move(source)](const std::string& name, uint64_t first, std::span<std::byte> out) {
    std::vector<float> values(out.size() / sizeof(uint16_t));
    source.read(name, first * 2, std::as_writable_bytes(std::span(values)));
    uint16_t* to = reinterpret_cast<uint16_t*>(out.data());
    for (const float v : values) *to++ = f32_to_f16(v);
  };
  return halves;
}

std::vector<float> synthetic_signal(const std::string& name, size_t count, double scale) {
  uint64_t hashes[4];
  for (int k = 0; k < 4; ++k) hashes[k] = fnv1a64(name + "#" + std::to_string(k));
  std::vector<float> out(count);
  for (size_t i = 0; i < count; ++i) {
    double sum = 0;
    for (const uint64_t hash : hashes) sum += 2 * uniform(hash, i) - 1;
    out[i] = static_cast<float>(sum * std::sqrt(0.75) * scale);
  }
  return out;
}

}  // namespace ipa
