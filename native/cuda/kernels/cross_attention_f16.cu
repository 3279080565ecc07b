// K4 with fp16 operands, as the driver finds it: cross_attention_<operand>_<output>_<most columns of a head>.
#include "cuda/kernels/cross_attention.h"

using namespace ipa::cuda;

IPA_CROSS_ATTENTION_F16(IPA_INSTANCE)
