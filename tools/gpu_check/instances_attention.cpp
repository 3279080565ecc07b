#include "attention_cases.h"
#include "instances.h"

namespace ipa::gpu_check {

namespace {

using namespace cuda;

namespace covered {

template <typename In, typename Out, typename Tile>
struct attention {
  static void run(uint64_t seed, ThreadPool* pool, Failures& failures) {
    attention_cases<In, Out, Tile>(seed, pool, failures);
  }
};
template <typename In, typename Out, typename Tile>
struct cross_attention {
  static void run(uint64_t seed, ThreadPool* pool, Failures& failures) {
    cross_attention_cases<In, Out, Tile>(seed, pool, failures);
  }
};
template <typename In, typename Out, typename Tile>
struct attention_wide {
  static void run(uint64_t seed, ThreadPool* pool, Failures& failures) {
    attention_wide_cases<In, Out, Tile>(seed, pool, failures);
  }
};
template <typename In, typename Out>
struct attention_plain {
  static void run(uint64_t seed, ThreadPool* pool, Failures& failures) {
    attention_plain_cases<In, Out>(seed, pool, failures);
  }
};

}  // namespace covered

constexpr Instance kInstances[] = {
    // clang-format off
    IPA_ATTENTION_F16(IPA_CASES)
    IPA_ATTENTION_BF16(IPA_CASES)
    IPA_CROSS_ATTENTION_F16(IPA_CASES)
    IPA_CROSS_ATTENTION_BF16(IPA_CASES)
    IPA_ATTENTION_WIDE_F16(IPA_CASES)
    IPA_ATTENTION_WIDE_BF16(IPA_CASES)
    IPA_ATTENTION_PLAIN(IPA_CASES)
    // clang-format on
};

}  // namespace

std::span<const Instance> attention_instances() { return kInstances; }

}  // namespace ipa::gpu_check
