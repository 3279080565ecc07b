// K5 as the driver finds it: group_statistics, group_norm_<output>_<numbers side by side>.
#include "cuda/kernels/group_norm.h"

using namespace ipa::cuda;

IPA_GROUP_NORM(IPA_INSTANCE)
