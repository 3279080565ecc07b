// K2 with a shortcut, fp16 operands, in the tile that sm_80 and later alone have registers for.
#include "cuda/kernels/convolution_shortcut.h"

using namespace ipa::cuda;

IPA_CONVOLUTION_SHORTCUT_AMPERE(IPA_INSTANCE)
