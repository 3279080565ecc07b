#include "group_norm_cases.h"
#include "instances.h"
#include "kernel_cases.h"
#include "latents_cases.h"
#include "row_cases.h"

namespace ipa::gpu_check {

namespace {

using namespace cuda;

namespace covered {

template <typename Out, int kPerLane>
struct layer_norm {
  static void run(uint64_t seed, ThreadPool* pool, Failures& failures) {
    layer_norm_case<Out, kPerLane>(1, 7, seed, pool, failures);
    layer_norm_case<Out, kPerLane>(5, 32 * kPerLane, seed + 1, pool, failures);
    layer_norm_case<Out, kPerLane>(30, 32 * kPerLane - 1, seed + 2, pool, failures);
  }
};
template <typename Out>
struct layer_norm_long {
  static void run(uint64_t seed, ThreadPool* pool, Failures& failures) {
    layer_norm_case<Out, 0>(5, 2061, seed, pool, failures);
    layer_norm_case<Out, 0>(3, 31, seed + 1, pool, failures);
  }
};
// Both launches of the norm, for either number of neighbours.
template <typename Out, int>
struct group_norm {
  static void run(uint64_t seed, ThreadPool* pool, Failures& failures) { group_norm_cases<Out>(seed, pool, failures); }
};
using group_statistics = group_norm<float, 1>;

template <typename Out>
struct softmax {
  static void run(uint64_t seed, ThreadPool* pool, Failures& failures) { softmax_cases<Out>(seed, pool, failures); }
};
struct reduce {
  static void run(uint64_t seed, ThreadPool* pool, Failures& failures) { reduce_cases(seed, pool, failures); }
};
struct sinusoid {
  static void run(uint64_t seed, ThreadPool* pool, Failures& failures) { sinusoid_cases(seed, pool, failures); }
};

struct combine {
  static void run(uint64_t seed, ThreadPool* pool, Failures& failures) { latents_cases(seed, pool, failures); }
};
using guide = combine;
using guide_rescaled = combine;
using finite = combine;
using copy_many = combine;

}  // namespace covered

constexpr Instance kInstances[] = {
    // clang-format off
    IPA_LAYER_NORM(IPA_CASES)
    IPA_GROUP_NORM(IPA_CASES)
    IPA_SOFTMAX(IPA_CASES)
    IPA_REDUCE(IPA_CASES)
    IPA_SINUSOID(IPA_CASES)
    IPA_LATENTS(IPA_CASES)
    // clang-format on
};

}  // namespace

std::span<const Instance> row_instances() { return kInstances; }

}  // namespace ipa::gpu_check
