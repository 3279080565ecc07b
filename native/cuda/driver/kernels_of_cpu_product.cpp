#include "cuda/driver/kernel_rows.h"
#include "cuda/kernels/product.h"

namespace ipa::cuda::driver {

namespace {

constexpr KernelRow kRows[] = {
    // clang-format off
    IPA_PRODUCT_F16(IPA_ROW)
    IPA_PRODUCT_BF16(IPA_ROW)
    // clang-format on
};

}  // namespace

std::span<const KernelRow> product_rows() noexcept { return kRows; }

}  // namespace ipa::cuda::driver
