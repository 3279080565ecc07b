// K3 and K7 with bf16 operands, from sm_80 on, as the driver finds it: attention_<operand>_<output>_<most columns of a
#include "cuda/kernels/attention.h"

using namespace ipa::cuda;

IPA_ATTENTION_BF16(IPA_INSTANCE)
