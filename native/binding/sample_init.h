#pragma once
#include <napi.h>

#include "runtime/sample.h"

namespace ipa::binding {

// Option `init` of a sampling request; without it the run begins with noise alone, times initNoiseSigma.
void read_init(const Napi::Object& spec, SampleRequest& request);
// It fits the latents, the rows and the channels that the UNet reads. OPTION_RANGE.
void check_init(const SampleRequest& request, int in_channels, int out_channels);

}  // namespace ipa::binding
