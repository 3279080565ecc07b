#pragma once
#include <napi.h>

#include <memory>
#include <vector>

#include "runtime/load.h"
#include "runtime/sample.h"

namespace ipa::binding {

struct SampleSpec {
  std::shared_ptr<Loaded> unet;
  std::vector<std::shared_ptr<Loaded>> adapters;  // kept alive for the run, as are
  std::vector<std::shared_ptr<Loaded>> controls;
  SampleRequest request;
  std::shared_ptr<Loaded> preview_vae;  // none: no previews
  double preview_scaling = 1;
  bool keep_steps = false;
};

SampleSpec to_sample_spec(const Napi::Value& value);

}  // namespace ipa::binding
