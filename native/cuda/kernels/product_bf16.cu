// K1 with bf16 operands, from sm_80 on, as the driver finds it: product_<operand>_<output>_<tile>.
#include "cuda/kernels/product.h"

using namespace ipa::cuda;

#define PRODUCT(name, Out, Tile) \
  IPA_KERNEL(Tile::kThreads, 1) name(ProductArguments given) { product<BFloat, Out, Tile>(given); }

PRODUCT(product_bf16_bf16_128x128, BFloat, Tile128x128)
PRODUCT(product_bf16_f32_128x128, float, Tile128x128)
PRODUCT(product_bf16_bf16_128x64, BFloat, Tile128x64)
PRODUCT(product_bf16_f32_128x64, float, Tile128x64)
PRODUCT(product_bf16_bf16_64x64, BFloat, Tile64x64)
PRODUCT(product_bf16_f32_64x64, float, Tile64x64)
