// K2 with bf16 operands, from sm_80 on, as the driver finds it: convolution_<operand>_<output>_<tile>.
#include "cuda/kernels/convolution.h"

using namespace ipa::cuda;

IPA_CONVOLUTION_BF16(IPA_INSTANCE)
