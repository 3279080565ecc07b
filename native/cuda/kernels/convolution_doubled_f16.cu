// K2 in its phase form with fp16 operands, as the driver finds it: convolution_doubled_<operand>_<output>_<tile>.
#include "cuda/kernels/convolution_doubled.h"

using namespace ipa::cuda;

IPA_CONVOLUTION_DOUBLED_F16(IPA_INSTANCE)
