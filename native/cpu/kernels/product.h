#pragma once
// What the matrix products of this level are made of: the number type of the operands, the strip of rows and the block
// of k that stay in the caches, and `product`, the innermost loop over them.
#if defined(IPA_TILES)
#include "cpu/kernels/product_tiles.h"
#elif defined(IPA_MMLA)
#include "cpu/kernels/product_mmla.h"
#elif defined(IPA_DOT)
#include "cpu/kernels/product_dot.h"
#else
#include "cpu/kernels/product_f32.h"
#endif
