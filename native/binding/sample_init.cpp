#include "binding/sample_init.h"

#include "binding/convert.h"
#include "core/error.h"

namespace ipa::binding {

namespace {

NoiseMix to_mix(const Napi::Value& value, const char* what) {
  const Napi::Object o = object_of(value, what);
  return {number_of(o, "signal"), number_of(o, "noise")};
}

Posterior to_posterior(const Napi::Value& value, const std::string& what) {
  const Napi::Object o = object_of(value, what);
  Posterior out{to_tensor(o.Get("mean"), what + ".mean"), {}};
  if (const Napi::Value spread = o.Get("spread"); !spread.IsUndefined())
    out.spread = to_tensor(spread, what + ".spread");
  return out;
}

}  // namespace

void read_init(const Napi::Object& spec, SampleRequest& request) {
  SampleInit& init = request.init;
  init.first = {0, number_of(spec, "initNoiseSigma")};
  const Napi::Value value = spec.Get("init");
  if (value.IsUndefined()) return;
  const Napi::Object o = object_of(value, "init");
  init.first = to_mix(o.Get("first"), "init.first");
  init.fill_with_noise = flag_or(o, "fillWithNoise", false);
  if (const Napi::Value image = o.Get("image"); !image.IsUndefined()) init.image = to_posterior(image, "init.image");
  if (const Napi::Value masked = o.Get("masked"); !masked.IsUndefined())
    init.masked = to_posterior(masked, "init.masked");
  if (const Napi::Value mask = o.Get("mask"); !mask.IsUndefined()) init.mask = to_tensor(mask, "init.mask").data;
  if (const Napi::Value after = o.Get("after"); !after.IsUndefined()) {
    const Napi::Array rows = array_of(after, "init.after");
    for (uint32_t i = 0; i < rows.Length(); ++i) init.after.push_back(to_mix(rows.Get(i), "init.after"));
  }
}

void check_init(const SampleRequest& r, int in_channels, int out_channels) {
  const SampleInit& init = r.init;
  const auto need = [](bool ok, const char* what) {
    if (!ok) fail(Code::OPTION_RANGE, std::string("the sampling request does not fit together: ") + what, "check it");
  };
  const Shape latents{1, r.height, r.width, out_channels};
  const auto fits = [&](const Posterior& p) {
    return p.mean.shape == latents && (p.spread.data.empty() || p.spread.shape == latents);
  };
  const bool has_image = !init.image.mean.data.empty();
  need(!has_image || fits(init.image), "the picture's latents");
  need(!init.masked || fits(*init.masked), "the masked picture's latents");
  need(has_image || init.first.signal == 0, "a picture to begin with");
  need(!r.rows.empty() || has_image, "no rows");
  need(init.mask.empty() || static_cast<int64_t>(init.mask.size()) == r.height * r.width, "the mask's size");
  need(init.after.empty() || (init.after.size() == r.rows.size() && has_image && !init.mask.empty()),
       "what is put back after each row");
  const bool reads_mask = in_channels != out_channels;
  need(!reads_mask || in_channels == 2 * out_channels + 1, "the channels of the UNet");
  need(!reads_mask || (init.masked && !init.mask.empty()), "an inpainting UNet needs a mask and the masked picture");
}

}  // namespace ipa::binding
