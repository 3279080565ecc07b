// The table of a bf16 level: packing, products and attention. The rest is the f32 level's, put in by table.cpp.
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
    .winograd_fits = nullptr,
    .winograd_scratch = nullptr,
    .winograd = nullptr,
    .attend_scratch = attend_scratch,
    .attend = attend,
    .group_norm_scratch = nullptr,
    .group_norm = nullptr,
    .layer_norm = nullptr,
    .apply = nullptr,
    .geglu = nullptr,
    .add = nullptr,
    .add_scaled = nullptr,
};

}  // namespace ipa::cpu::IPA_ISA
