// K4 with bf16 operands, from sm_80 on, as the driver finds it: cross_attention_<operand>_<output>_<most columns of a
#include "cuda/kernels/cross_attention.h"

using namespace ipa::cuda;

IPA_CROSS_ATTENTION_BF16(IPA_INSTANCE)
