// The convolution of few channels as the driver finds it: convolution_direct_<output>.
#include "cuda/kernels/convolution_direct.h"

using namespace ipa::cuda;

IPA_CONVOLUTION_DIRECT(IPA_INSTANCE)
