#include "cuda/driver/kernel_rows.h"
#include "cuda/kernels/attention.h"
#include "cuda/kernels/attention_plain.h"
#include "cuda/kernels/attention_wide.h"
#include "cuda/kernels/cross_attention.h"

namespace ipa::cuda::driver {

namespace {

constexpr KernelRow kRows[] = {
    // clang-format off
    IPA_ATTENTION_F16(IPA_ROW)
    IPA_ATTENTION_BF16(IPA_ROW)
    IPA_CROSS_ATTENTION_F16(IPA_ROW)
    IPA_CROSS_ATTENTION_BF16(IPA_ROW)
    IPA_ATTENTION_WIDE_F16(IPA_ROW)
    IPA_ATTENTION_WIDE_BF16(IPA_ROW)
    IPA_ATTENTION_PLAIN(IPA_ROW)
    // clang-format on
};

}  // namespace

std::span<const KernelRow> attention_rows() noexcept { return kRows; }

}  // namespace ipa::cuda::driver
