// K3 and K7 with fp16 operands, as the driver finds it: attention_<operand>_<output>_<most columns of a head>.
#include "cuda/kernels/attention.h"

using namespace ipa::cuda;

IPA_ATTENTION_F16(IPA_INSTANCE)
