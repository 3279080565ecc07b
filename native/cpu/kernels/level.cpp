// The table of one level.
#include "cpu/kernels/kernels_of_level.h"

namespace ipa::cpu::IPA_ISA {

const Level level = {
    .name = IPA_LEVEL_NAME,
    .panel = kPanel,
    .geglu_column = geglu_column,
    .packed_bytes = packed_bytes,
    .pack = pack,
    .packed_at = packed_at,
    .matmul_scratch = matmul_scratch,
    .matmul = matmul,
    .conv_scratch = conv_scratch,
    .conv = conv,
    .winograd_fits = winograd_fits,
    .winograd_scratch = winograd_scratch,
    .winograd = winograd,
    .winograd_of_pairs = winograd_of_pairs,
    .conv_few_fits = conv_few_fits,
    .conv_few_scratch = conv_few_scratch,
    .conv_few = conv_few,
    .conv_few_of_pairs = conv_few_of_pairs,
    .attend_scratch = attend_scratch,
    .attend = attend,
    .group_norm_scratch = group_norm_scratch,
    .group_norm = group_norm,
    .layer_norm = layer_norm,
    .apply = apply,
    .geglu = geglu,
    .add = add,
    .add_scaled = add_scaled,
};

}  // namespace ipa::cpu::IPA_ISA
