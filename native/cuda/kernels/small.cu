// Kernels without variants as the driver finds them, f32: strided copies, features of timesteps, softmax, reductions.
#include "cuda/kernels/reduce.h"
#include "cuda/kernels/sinusoid.h"
#include "cuda/kernels/softmax.h"
#include "cuda/kernels/strided.h"

using namespace ipa::cuda;

IPA_REDUCE(IPA_INSTANCE)
IPA_SINUSOID(IPA_INSTANCE)
IPA_SOFTMAX(IPA_INSTANCE)
IPA_STRIDED(IPA_INSTANCE)
