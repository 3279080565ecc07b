// Attention of wide heads with fp16 operands, as the driver finds it: attention_wide_<operand>_<output>_<queries>.
#include "cuda/kernels/attention_wide.h"

using namespace ipa::cuda;

IPA_ATTENTION_WIDE_F16(IPA_INSTANCE)
