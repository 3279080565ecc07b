#include "cuda/driver/kernel_rows.h"
#include "cuda/kernels/elements.h"
#include "cuda/kernels/gather.h"
#include "cuda/kernels/group_norm.h"
#include "cuda/kernels/latents.h"
#include "cuda/kernels/layer_norm_long.h"
#include "cuda/kernels/reduce.h"
#include "cuda/kernels/sinusoid.h"
#include "cuda/kernels/softmax.h"
#include "cuda/kernels/strided.h"

namespace ipa::cuda::driver {

namespace {

constexpr KernelRow kRows[] = {
    // clang-format off
    IPA_ELEMENTS(IPA_ROW)
    IPA_GATHER(IPA_ROW)
    IPA_GROUP_NORM(IPA_ROW)
    IPA_LATENTS(IPA_ROW)
    IPA_LAYER_NORM(IPA_ROW)
    IPA_REDUCE(IPA_ROW)
    IPA_SINUSOID(IPA_ROW)
    IPA_SOFTMAX(IPA_ROW)
    IPA_STRIDED(IPA_ROW)
    // clang-format on
};

}  // namespace

std::span<const KernelRow> small_rows() noexcept { return kRows; }

}  // namespace ipa::cuda::driver
