// K2 with a shortcut, bf16 operands, as the driver finds it: convolution_shortcut_<operand>_f32_<tile>.
#include "cuda/kernels/convolution_shortcut.h"

using namespace ipa::cuda;

IPA_CONVOLUTION_SHORTCUT_BF16(IPA_INSTANCE)
