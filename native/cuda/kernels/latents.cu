// Between the runs of a step loop, as the driver finds it.
#include "cuda/kernels/latents.h"

using namespace ipa::cuda;

IPA_LATENTS(IPA_INSTANCE)
