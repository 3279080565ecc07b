#include "cuda/driver/kernel_rows.h"
#include "cuda/kernels/convolution.h"
#include "cuda/kernels/convolution_direct.h"
#include "cuda/kernels/convolution_doubled.h"
#include "cuda/kernels/convolution_shortcut.h"

namespace ipa::cuda::driver {

namespace {

constexpr KernelRow kRows[] = {
    // clang-format off
    IPA_CONVOLUTION_F16(IPA_ROW)
    IPA_CONVOLUTION_BF16(IPA_ROW)
    IPA_CONVOLUTION_DOUBLED_F16(IPA_ROW)
    IPA_CONVOLUTION_DOUBLED_BF16(IPA_ROW)
    IPA_CONVOLUTION_DIRECT(IPA_ROW)
    IPA_CONVOLUTION_SHORTCUT_F16(IPA_ROW)
    IPA_CONVOLUTION_SHORTCUT_AMPERE(IPA_ROW)
    IPA_CONVOLUTION_SHORTCUT_BF16(IPA_ROW)
    // clang-format on
};

}  // namespace

std::span<const KernelRow> convolution_rows() noexcept { return kRows; }

}  // namespace ipa::cuda::driver
