#pragma once
// Who draws the normal numbers of a run. A rule is data that a request carries; the step loop asks for numbers and
// knows none.
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>

namespace ipa {

enum class NoiseSource { torch_cpu, torch_cuda, nv };
enum class NoiseType { f32, f16, bf16, f16_legacy, bf16_legacy };

constexpr std::string_view kNoiseSources = "torch-cpu, torch-cuda or nv";
constexpr std::string_view kNoiseTypes = "f32, f16, bf16, f16-legacy or bf16-legacy";
std::optional<NoiseSource> noise_source(std::string_view name);
std::optional<NoiseType> noise_type(std::string_view name);

// trap: what torch draws on a card depends on how many threads it holds at once, from that many numbers on. Ours are
// those of an A100, 108 multiprocessors of 2,048 threads: more than a picture of 1,024 x 1,024 px has numbers.
constexpr uint32_t kResidentThreads = 221'184;

struct NoiseRule {
  NoiseSource source = NoiseSource::torch_cpu;
  // Another source for the noise of steps, which begins at the same seed; none: the first one goes on.
  std::optional<NoiseSource> steps = {};
  NoiseType type = NoiseType::f32;  // the type drawn in; numbers come widened

  bool operator==(const NoiseRule&) const = default;
};

// Fills a span with the generator's next normal numbers. The legacy types are rules of torch_cpu; on a card half types
// are rounded f32.
using Normals = std::function<void(std::span<float>)>;
Normals normals_of(NoiseSource source, NoiseType type, uint64_t seed);

}  // namespace ipa
