// K1 with fp16 operands, as the driver finds it.
#include "cuda/kernels/product.h"

using namespace ipa::cuda;

IPA_PRODUCT_F16(IPA_INSTANCE)
