// K2 with fp16 operands, as the driver finds it: convolution_<operand>_<output>_<tile>.
#include "cuda/kernels/convolution.h"

using namespace ipa::cuda;

IPA_CONVOLUTION_F16(IPA_INSTANCE)
