#include "convolution_cases.h"
#include "convolution_shortcut_cases.h"
#include "instances.h"

namespace ipa::gpu_check {

namespace {

using namespace cuda;

namespace covered {

template <typename Operand, typename Out, typename Tile>
struct convolution {
  static void run(uint64_t seed, ThreadPool* pool, Failures& failures) {
    convolution_tile_cases<Operand, Out, Tile>(seed, pool, failures);
    convolution_cases<Operand, Out, Tile>(seed + 50, pool, failures);
  }
};

template <typename Operand, typename Tile>
struct convolution_doubled {
  static void run(uint64_t seed, ThreadPool* pool, Failures& failures) {
    convolution_doubled_cases<Operand, Tile>(seed, pool, failures);
  }
};

template <typename Operand, typename Tile>
struct convolution_shortcut {
  static void run(uint64_t seed, ThreadPool* pool, Failures& failures) {
    convolution_shortcut_cases<Operand, Tile>(seed, pool, failures);
  }
};

template <typename Out>
struct convolution_direct {
  static void run(uint64_t seed, ThreadPool* pool, Failures& failures) {
    convolution_direct_cases<Out>(seed, pool, failures);
  }
};

}  // namespace covered

constexpr Instance kInstances[] = {
    // clang-format off
    IPA_CONVOLUTION_F16(IPA_CASES)
    IPA_CONVOLUTION_BF16(IPA_CASES)
    IPA_CONVOLUTION_DIRECT(IPA_CASES)
    IPA_CONVOLUTION_SHORTCUT_F16(IPA_CASES)
    IPA_CONVOLUTION_SHORTCUT_AMPERE(IPA_CASES)
    IPA_CONVOLUTION_SHORTCUT_BF16(IPA_CASES)
    IPA_CONVOLUTION_DOUBLED_F16(IPA_CASES)
    IPA_CONVOLUTION_DOUBLED_BF16(IPA_CASES)
    // clang-format on
};

}  // namespace

std::span<const Instance> convolution_instances() { return kInstances; }

}  // namespace ipa::gpu_check
