// The table of a bf16 level: packing, products and attention. The rest is the f32 level's, put in by table.cpp.
#include "cpu/kernels/kernels_of_level.h"
#include "cpu/kernels/winograd_fits.h"

namespace ipa::cpu::IPA_ISA {

// The vector instruction has twice the rate of f32: Winograd's quarter of the multiplications, in f32, is ahead of it
// from 128 channels and 16 x 16 results on (1.3 to 1.6 times from 320 channels on, 1.1 at the limits; 0.8 to 0.95 with
// 96 channels, 0.8 to 1.1 at 12 x 12; EPYC, Zen 4, 2 threads), in large pictures from 64 on (1.5 times, Zen 5), and
// does not round the image. Tiles have more than ten times the rate of f32.
#if defined(IPA_DOT)
bool winograd_fits(const ConvArgs& args) {
  return winograd_takes(args) && (winograd_beats(args, 128, 30) || (args.c >= 64 && winograd_alone(args)));
}
static constexpr bool (*kWinogradFits)(const ConvArgs&) = winograd_fits;
static constexpr bool kExactInF32 = true;
#else
static constexpr bool (*kWinogradFits)(const ConvArgs&) = nullptr;
static constexpr bool kExactInF32 = false;
#endif

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
    .winograd_fits = kWinogradFits,
    .winograd_scratch = nullptr,
    .winograd = nullptr,
    .winograd_of_pairs = nullptr,
    .conv_few_fits = nullptr,
    .conv_few_scratch = nullptr,
    .conv_few = nullptr,
    .conv_few_of_pairs = nullptr,
    .attend_scratch = attend_scratch,
    .attend = attend,
    .group_norm_scratch = nullptr,
    .group_norm = nullptr,
    .layer_norm = nullptr,
    .apply = nullptr,
    .geglu = nullptr,
    .add = nullptr,
    .add_scaled = nullptr,
    .exact_in_f32 = kExactInF32,
};

}  // namespace ipa::cpu::IPA_ISA
