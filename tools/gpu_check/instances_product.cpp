#include "instances.h"
#include "product_cases.h"

namespace ipa::gpu_check {

namespace {

using namespace cuda;

namespace covered {

template <typename Operand, typename Out, typename Tile>
struct product {
  static void run(uint64_t seed, ThreadPool* pool, Failures& failures) {
    product_tile_cases<Operand, Out, Tile>(seed, pool, failures);
    product_cases<Operand, Out, Tile>(seed + 50, pool, failures);
  }
};

}  // namespace covered

constexpr Instance kInstances[] = {
    // clang-format off
    IPA_PRODUCT_F16(IPA_CASES)
    IPA_PRODUCT_BF16(IPA_CASES)
    // clang-format on
};

}  // namespace

std::span<const Instance> product_instances() { return kInstances; }

}  // namespace ipa::gpu_check
