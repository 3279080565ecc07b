// Functions of single numbers and sums as the driver finds them: <kernel>_<output>_<numbers side by side>.
#include "cuda/kernels/elements.h"

using namespace ipa::cuda;

IPA_ELEMENTS(IPA_INSTANCE)
