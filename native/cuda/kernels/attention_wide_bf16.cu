// Attention of wide heads with bf16 operands, from sm_80 on, as the driver finds it:
#include "cuda/kernels/attention_wide.h"

using namespace ipa::cuda;

IPA_ATTENTION_WIDE_BF16(IPA_INSTANCE)
