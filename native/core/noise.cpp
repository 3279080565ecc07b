#include "core/noise.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "core/dtype.h"
#include "core/error.h"
#include "core/random.h"

namespace ipa {

namespace {

constexpr std::array<std::pair<std::string_view, NoiseSource>, 3> kSources = {
    {{"torch-cpu", NoiseSource::torch_cpu}, {"torch-cuda", NoiseSource::torch_cuda}, {"nv", NoiseSource::nv}}};

constexpr std::array<std::pair<std::string_view, NoiseType>, 5> kTypes = {{{"f32", NoiseType::f32},
                                                                           {"f16", NoiseType::f16},
                                                                           {"bf16", NoiseType::bf16},
                                                                           {"f16-legacy", NoiseType::f16_legacy},
                                                                           {"bf16-legacy", NoiseType::bf16_legacy}}};

template <typename T, size_t N>
std::optional<T> named(const std::array<std::pair<std::string_view, T>, N>& table, std::string_view name) {
  for (const auto& [known, value] : table)
    if (known == name) return value;
  return std::nullopt;
}

using DrawHalves = void (TorchCpuGenerator::*)(std::span<uint16_t>);

Normals torch_halves(uint64_t seed, DrawHalves draw, float (*widen)(uint16_t)) {
  return [generator = TorchCpuGenerator(seed), draw, widen](std::span<float> out) mutable {
    std::vector<uint16_t> halves(out.size());
    (generator.*draw)(halves);
    std::transform(halves.begin(), halves.end(), out.begin(), widen);
  };
}

Normals torch_cpu(NoiseType type, uint64_t seed) {
  switch (type) {
    case NoiseType::f16:
      return torch_halves(seed, &TorchCpuGenerator::randn_f16, f16_to_f32);
    case NoiseType::bf16:
      return torch_halves(seed, &TorchCpuGenerator::randn_bf16, bf16_to_f32);
    case NoiseType::f16_legacy:
      return torch_halves(seed, &TorchCpuGenerator::randn_f16_legacy, f16_to_f32);
    case NoiseType::bf16_legacy:
      return torch_halves(seed, &TorchCpuGenerator::randn_bf16_legacy, bf16_to_f32);
    case NoiseType::f32:
      break;
  }
  return [generator = TorchCpuGenerator(seed)](std::span<float> out) mutable { generator.randn(out); };
}

void round_to(NoiseType type, std::span<float> numbers) {
  if (type == NoiseType::f32) return;
  const bool is_f16 = type == NoiseType::f16;
  for (float& v : numbers) v = is_f16 ? f16_to_f32(f32_to_f16(v)) : bf16_to_f32(f32_to_bf16(v));
}

}  // namespace

std::optional<NoiseSource> noise_source(std::string_view name) { return named(kSources, name); }
std::optional<NoiseType> noise_type(std::string_view name) { return named(kTypes, name); }

Normals normals_of(NoiseSource source, NoiseType type, uint64_t seed) {
  if (source == NoiseSource::torch_cpu) return torch_cpu(type, seed);
  if (type == NoiseType::f16_legacy || type == NoiseType::bf16_legacy)
    fail(Code::OPTION_CONFLICT, "the legacy half types are drawn by torch's CPU generator only",
         "draw in f32, or take noise torch-cpu", {{"option", "rngDtype"}});
  return [generator = PhiloxGenerator(seed), source, type](std::span<float> out) mutable {
    if (source == NoiseSource::nv)
      generator.randn_nv(out);
    else
      generator.randn_cuda(out, kResidentThreads);
    round_to(type, out);
  };
}

}  // namespace ipa
