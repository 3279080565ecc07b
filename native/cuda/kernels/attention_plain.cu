// Attention of every other kind, as the driver finds it: attention_plain_<input>_<output>.
#include "cuda/kernels/attention_plain.h"

using namespace ipa::cuda;

IPA_ATTENTION_PLAIN(IPA_INSTANCE)
