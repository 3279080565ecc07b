// Copies of rows as the driver finds them: <kernel>_<output>_<numbers side by side>, take_rows_<table>_….
#include "cuda/kernels/gather.h"

using namespace ipa::cuda;

IPA_GATHER(IPA_INSTANCE)
