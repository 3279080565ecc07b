// K6 as the driver finds it: layer_norm_<output>_<most columns>.
#include "cuda/kernels/layer_norm.h"

using namespace ipa::cuda;

#define LAYER_NORM(name, Out, per_lane) \
  IPA_KERNEL(kLayerNormThreads, 1) name(LayerNormArguments given) { layer_norm<Out, per_lane>(given); }

LAYER_NORM(layer_norm_f16_320, Half, 10)
LAYER_NORM(layer_norm_f16_640, Half, 20)
LAYER_NORM(layer_norm_f16_1280, Half, 40)
LAYER_NORM(layer_norm_bf16_320, BFloat, 10)
LAYER_NORM(layer_norm_bf16_640, BFloat, 20)
LAYER_NORM(layer_norm_bf16_1280, BFloat, 40)
LAYER_NORM(layer_norm_f32_320, float, 10)
LAYER_NORM(layer_norm_f32_640, float, 20)
LAYER_NORM(layer_norm_f32_1280, float, 40)
