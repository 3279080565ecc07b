// K1 with fp16 operands, as the driver finds it: product_<operand>_<output>_<tile>.
#include "cuda/kernels/product.h"

using namespace ipa::cuda;

#define PRODUCT(name, Out, Tile) \
  IPA_KERNEL(Tile::kThreads, 1) name(ProductArguments given) { product<Half, Out, Tile>(given); }

PRODUCT(product_f16_f16_128x128, Half, Tile128x128)
PRODUCT(product_f16_f32_128x128, float, Tile128x128)
PRODUCT(product_f16_f16_128x64, Half, Tile128x64)
PRODUCT(product_f16_f32_128x64, float, Tile128x64)
PRODUCT(product_f16_f16_64x64, Half, Tile64x64)
PRODUCT(product_f16_f32_64x64, float, Tile64x64)
