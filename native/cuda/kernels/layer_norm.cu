// K6 as the driver finds it: layer_norm_<output>_<most columns>, layer_norm_<output>_long.
#include "cuda/kernels/layer_norm_long.h"

using namespace ipa::cuda;

IPA_LAYER_NORM(IPA_INSTANCE)
