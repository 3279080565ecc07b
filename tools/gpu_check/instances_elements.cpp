#include "element_cases.h"
#include "gather_cases.h"
#include "instances.h"

namespace ipa::gpu_check {

namespace {

using namespace cuda;

namespace covered {

template <typename Out, int kWide>
struct apply {
  static void run(uint64_t seed, ThreadPool* pool, Failures& failures) {
    apply_cases<Out, kWide>(seed, pool, failures);
  }
};
template <typename Out, int kWide>
struct geglu {
  static void run(uint64_t seed, ThreadPool* pool, Failures& failures) {
    geglu_case<Out, kWide>(1, 1, seed, pool, failures);
    geglu_case<Out, kWide>(17, 41, seed + 1, pool, failures);
  }
};
template <typename Out, int kWide>
struct add {
  static void run(uint64_t seed, ThreadPool* pool, Failures& failures) {
    add_case<Out, kWide>(1, 1, seed, pool, failures);
    add_case<Out, kWide>(333, 1, seed + 1, pool, failures);
    add_case<Out, kWide>(115, 3, seed + 2, pool, failures);
  }
};
template <int kWide>
struct add_channel {
  static void run(uint64_t seed, ThreadPool* pool, Failures& failures) {
    add_channel_case<kWide>(1, 1, 1, false, seed, pool, failures);
    add_channel_case<kWide>(3, 14, 9, false, seed + 1, pool, failures);
    add_channel_case<kWide>(3, 14, 9, true, seed + 2, pool, failures);
  }
};
template <typename Out, int kWide>
struct add_scaled {
  static void run(uint64_t seed, ThreadPool* pool, Failures& failures) {
    add_scaled_case<Out, kWide>(0.7f, 0, seed, pool, failures);
    add_scaled_case<Out, kWide>(NAN, 36, seed + 1, pool, failures);
    add_scaled_case<Out, kWide>(-1.5f, 12, seed + 2, pool, failures);
    add_scaled_case<Out, kWide>(0, 12, seed + 3, pool, failures);
  }
};
template <typename In, typename Out, int kWide>
struct cast {
  static void run(uint64_t seed, ThreadPool* pool, Failures& failures) {
    cast_case<In, Out, kWide>(300, 1, seed, pool, failures);
    cast_case<In, Out, kWide>(101, 3, seed + 1, pool, failures);
  }
};

template <typename T, int kWide>
struct concat {
  static void run(uint64_t seed, ThreadPool* pool, Failures& failures) {
    concat_case<T, kWide>(1, {1}, seed, pool, failures);
    concat_case<T, kWide>(29, {7, 12}, seed + 1, pool, failures);
    concat_case<T, kWide>(3, {40, 3, 1, 77}, seed + 2, pool, failures);
  }
};
template <typename T, int kWide>
struct upsample {
  static void run(uint64_t seed, ThreadPool* pool, Failures& failures) {
    upsample_case<T, kWide>({nullptr, nullptr, 2, 5, 3, 4, 10, 6}, seed, pool, failures);
    upsample_case<T, kWide>({nullptr, nullptr, 1, 4, 7, 3, 9, 13}, seed + 1, pool, failures);
  }
};
template <typename T, int kWide>
struct take_rows {
  static void run(uint64_t seed, ThreadPool* pool, Failures& failures) {
    take_rows_case<T, kWide>(20, 11, 0, 31, seed, pool, failures);
    take_rows_case<T, kWide>(14, 5, 9, 9, seed + 1, pool, failures);
  }
};

// The three have their cases in one function.
struct rearrange {
  static void run(uint64_t seed, ThreadPool* pool, Failures& failures) { strided_cases(seed, pool, failures); }
};
using pad = rearrange;
using binary = rearrange;

}  // namespace covered

constexpr Instance kInstances[] = {
    // clang-format off
    IPA_ELEMENTS(IPA_CASES)
    IPA_GATHER(IPA_CASES)
    IPA_STRIDED(IPA_CASES)
    // clang-format on
};

}  // namespace

std::span<const Instance> element_instances() { return kInstances; }

}  // namespace ipa::gpu_check
