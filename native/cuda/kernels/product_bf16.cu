// K1 with bf16 operands, from sm_80 on, as the driver finds it.
#include "cuda/kernels/product.h"

using namespace ipa::cuda;

IPA_PRODUCT_BF16(IPA_INSTANCE)
