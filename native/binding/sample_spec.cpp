#include "binding/sample_spec.h"

#include <algorithm>
#include <cmath>

#include "binding/convert.h"
#include "binding/handles.h"
#include "binding/sample_init.h"
#include "core/error.h"
#include "runtime/calls.h"

namespace ipa::binding {

namespace {

constexpr int kMaskSide = 65536;  // pixels

StepRow to_row(const Napi::Object& object) {
  StepRow row;
  row.step = static_cast<int>(number_of(object, "step"));
  row.timestep = number_of(object, "timestep");
  row.input_scale = number_of(object, "inputScale");
  row.keep_x = number_of(object, "keepX");
  row.keep_out = number_of(object, "keepOut");
  row.push = text_of(object, "store") == "push";
  const Napi::Array updates = array_of(object.Get("updates"), "updates");
  for (uint32_t i = 0; i < updates.Length(); ++i) {
    const Napi::Object u = object_of(updates.Get(i), "updates");
    row.updates.push_back({number_of(u, "x"), number_of(u, "saved"), to_doubles(u.Get("outputs"), "outputs"),
                           number_of(u, "noise"), flag_or(u, "draws", false), flag_or(u, "saveX", false)});
  }
  return row;
}

Tensor optional_tensor(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  return value.IsUndefined() ? Tensor{} : to_tensor(value, name);
}

std::vector<float> optional_floats(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  return value.IsUndefined() ? std::vector<float>{} : to_floats(value, name);
}

int64_t whole(const Napi::Object& object, const char* name, double least, double most, const std::string& owner = "") {
  const double v = number_of(object, name);
  if (v < least || v > most || v != std::floor(v))
    fail(Code::OPTION_RANGE,
         std::string("Expected a whole number from ") + std::to_string(static_cast<int64_t>(least)) + " to " +
             std::to_string(static_cast<int64_t>(most)) + " for " + owner + name + " but received " + std::to_string(v),
         "pass a number in that range", {{"option", owner + name}});
  return static_cast<int64_t>(v);
}

// Numbers from 0 to 1, or bytes from 0 to 255.
std::vector<float> greys(const Napi::Value& value) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array)
    return to_floats(value, "mask.data");
  const auto bytes = value.As<Napi::Uint8Array>();
  std::vector<float> numbers(bytes.ElementLength());
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(bytes[i]) / 255.0f;
  return numbers;
}

std::optional<RegionMask> optional_mask(const Napi::Object& prompt) {
  const Napi::Value value = prompt.Get("mask");
  if (value.IsUndefined()) return std::nullopt;
  const Napi::Object o = object_of(value, "mask");
  const std::string mode = text_of(o, "mode");
  const std::optional<MaskMode> known = mask_mode(mode);
  if (!known)
    fail(Code::OPTION_RANGE, "Expected " + std::string(kMaskModes) + " for mask.mode but received " + quoted(mode),
         "pass one of them", {{"option", "mask.mode"}});
  const auto side = [&](const char* name) { return static_cast<int>(whole(o, name, 1, kMaskSide, "mask.")); };
  RegionMask mask{side("width"), side("height"), greys(o.Get("data")), *known};
  check_mask(mask);
  return mask;
}

ControlMap control_map(const Napi::Object& control) {
  const std::string name = text_or(control, "preprocess", "");
  if (name.empty()) return ControlMap::finished;
  if (name == "canny") return ControlMap::canny;
  fail(Code::OPTION_RANGE, "Expected \"canny\" for controls.preprocess but received " + quoted(name),
       "pass it or nothing", {{"option", "controls.preprocess"}});
}

void add_controls(const Napi::Object& o, SampleSpec& spec) {
  const Napi::Value value = o.Get("controls");
  if (value.IsUndefined()) return;
  SampleRequest& r = spec.request;
  const Napi::Array list = array_of(value, "controls");
  for (uint32_t i = 0; i < list.Length(); ++i) {
    const Napi::Object c = object_of(list.Get(i), "controls");
    const auto loaded = NetworkHandle::get(c.Get("network"), "controls.network");
    Network& network = network_of(loaded, NetworkKind::control, "controls.network");
    spec.controls.push_back(loaded);
    r.controls.push_back(
        {&network, loaded->control,
         control_image(loaded->control, to_image(c.Get("image"), "controls.image"), control_map(c), r.height, r.width),
         to_floats(c.Get("strengths"), "strengths"), to_floats(c.Get("window"), "window"),
         flag_or(c, "conditionalOnly", false)});
  }
}

template <typename T>
T one_of(const Napi::Object& object, const char* name, std::optional<T> (*known)(std::string_view),
         std::string_view names) {
  const std::string text = text_of(object, name);
  const std::optional<T> found = known(text);
  const std::string option = std::string("noise.") + name;
  if (!found)
    fail(Code::OPTION_RANGE, "Expected " + std::string(names) + " for " + option + " but received " + quoted(text),
         "pass one of them", {{"option", option}});
  return *found;
}

NoiseRule to_noise(const Napi::Object& o) {
  NoiseRule rule{one_of(o, "source", noise_source, kNoiseSources), std::nullopt,
                 one_of(o, "type", noise_type, kNoiseTypes)};
  if (!o.Get("steps").IsUndefined()) rule.steps = one_of(o, "steps", noise_source, kNoiseSources);
  return rule;
}

// The texts of a run whose prompts change or are summed.
std::optional<SampleTexts> optional_texts(const Napi::Object& object) {
  const Napi::Value value = object.Get("texts");
  if (value.IsUndefined()) return std::nullopt;
  const Napi::Object o = object_of(value, "texts");
  SampleTexts texts;
  const Napi::Array conditions = array_of(o.Get("conditions"), "texts.conditions");
  for (uint32_t i = 0; i < conditions.Length(); ++i) {
    const Napi::Object c = object_of(conditions.Get(i), "texts.conditions");
    texts.conditions.push_back(
        {to_tensor(c.Get("context"), "context"), optional_tensor(c, "pooled"), optional_floats(c, "timeIds")});
  }
  for (const std::vector<float>& step : to_float_lists(o.Get("steps"), "texts.steps")) {
    std::vector<size_t>& rows = texts.steps.emplace_back();
    for (const float choice : step)  // a number that is no place is beyond the last
      rows.push_back(choice >= 0 && choice < 65536 ? static_cast<size_t>(choice) : texts.conditions.size());
  }
  texts.weights = to_doubles(o.Get("weights"), "texts.weights");
  return texts;
}

// Every choice must be there to be read.
void check_texts(const SampleSpec& spec, int steps) {
  const SampleTexts& t = *spec.request.texts;
  const UNetConfig& unet = spec.unet->unet;
  const auto need = [](bool ok, const char* what) {
    if (!ok) fail(Code::OPTION_RANGE, std::string("the texts of a run do not fit together: ") + what, "check them");
  };
  need(!t.conditions.empty() && !t.weights.empty(), "there are none");
  need(!t.steps.empty() && static_cast<int>(t.steps.size()) >= steps, "choices for every step");
  for (const std::vector<size_t>& rows : t.steps) {
    need(rows.size() == t.steps[0].size(), "one number of rows");
    for (const size_t choice : rows) need(choice < t.conditions.size(), "a choice beyond the last");
  }
  const size_t rows = t.steps[0].size(), weights = t.weights.size();
  need(rows == weights + 1 || (rows == 1 && weights == 1 && t.weights[0] == 1), "weights need a negative text");
  for (const Condition& c : t.conditions) {
    need(c.context.shape == t.conditions[0].context.shape && c.context.shape.n == 1, "contexts of one length");
    need(c.context.shape.c == unet.context, "the context's width");
    if (unet.added_conditioning())
      need(c.pooled.shape.c == unet.pooled_width && c.time_ids.size() == static_cast<size_t>(unet.time_ids),
           "pooled text and time ids");
  }
}

// Option `preview`: which calls are shown, and by what.
void read_preview(const Napi::Object& o, SampleSpec& spec) {
  const Napi::Value value = o.Get("preview");
  if (value.IsUndefined()) return;
  const Napi::Object preview = object_of(value, "preview");
  spec.preview_vae = NetworkHandle::get(preview.Get("vae"), "preview.vae");
  network_of(spec.preview_vae, NetworkKind::vae, "preview.vae");
  spec.preview_scaling = number_of(preview, "scalingFactor");
  const Napi::Array rows = array_of(preview.Get("rows"), "preview.rows");
  for (uint32_t i = 0; i < rows.Length(); ++i) {
    const Napi::Object row = object_of(rows.Get(i), "preview.rows");
    const size_t call = static_cast<size_t>(whole(row, "row", 0, 65535));
    spec.request.previews.push_back({call, number_of(row, "x"), number_of(row, "out")});
  }
}

// Whatever lib checked is checked again where it would be read out of bounds.
void check(const SampleSpec& spec) {
  const SampleRequest& r = spec.request;
  const size_t sites = attention_sites(spec.unet->unet).size();
  const auto need = [](bool ok, const char* what) {
    if (!ok) fail(Code::OPTION_RANGE, std::string("the sampling request does not fit together: ") + what, "check it");
  };
  check_init(r, spec.unet->unet.in_channels, spec.unet->unet.out_channels);
  need(r.texts || r.context.shape.c == spec.unet->unet.context, "the context's width");
  int steps = 0;
  for (const StepRow& row : r.rows) {
    need(row.step >= 0 && row.updates.size() <= 4, "a row");
    steps = std::max(steps, row.step + 1);
    for (const StepUpdate& u : row.updates) need(u.outputs.size() <= 4, "a row keeps at most four outputs");
  }
  if (r.texts) check_texts(spec, steps);
  if (!r.guidance_window.empty()) {
    const auto& window = r.guidance_window;
    need(static_cast<int>(window.size()) >= steps, "one window factor per step of guidance");
    const auto off = std::find(window.begin(), window.end(), 0.0f);
    need(off == window.end() || !positive_half(r).rows.empty(), "texts to draw without guidance");
  }
  for (const SamplePrompt& p : r.prompts) {
    need(p.scales.size() == sites, "one scale per cross-attention");
    need(static_cast<int>(p.window.size()) >= steps, "one window factor per step");
    need(p.tokens.shape.c == spec.unet->unet.context, "the tokens' width");
    need(!r.guided() || p.negative.shape == p.tokens.shape, "negative tokens of an image prompt");
    const auto& [token_gains, site_gains] = p.factors;
    need(token_gains.empty() || static_cast<int64_t>(token_gains.size()) == p.tokens.shape.tokens(),
         "one gain per image token");
    need(site_gains.empty() || site_gains.size() == 3 * sites, "three gains per cross-attention");
  }
  need(r.controls.size() <= kMostControls, "at most eight controls");
  for (const Control& c : r.controls) {
    need(c.strengths.size() == strengths_of(c.config), "one strength per residual or feature of a control");
    need(static_cast<int>(c.window.size()) >= steps, "one window factor per step of a control");
  }
  if (spec.unet->unet.added_conditioning() && !r.texts) {
    const size_t ids = static_cast<size_t>(spec.unet->unet.time_ids);
    need(r.pooled.shape.c == spec.unet->unet.pooled_width && r.time_ids.size() == ids, "pooled text and time ids");
    need(!r.guided() || (r.negative_pooled.shape == r.pooled.shape && r.negative_time_ids.size() == ids),
         "negative pooled text and time ids");
  }
}

}  // namespace

SampleSpec to_sample_spec(const Napi::Value& value) {
  const Napi::Object o = object_of(value, "sample");
  SampleSpec spec;
  spec.unet = NetworkHandle::get(o.Get("unet"), "unet");
  if (spec.unet->kind != NetworkKind::unet) fail(Code::OPTION_TYPE, "Expected a UNet for unet", "pass the UNet");
  SampleRequest& r = spec.request;
  r.height = whole(o, "height", 1, 4096);
  r.width = whole(o, "width", 1, 4096);
  const Napi::Array rows = array_of(o.Get("rows"), "rows");
  for (uint32_t i = 0; i < rows.Length(); ++i) r.rows.push_back(to_row(object_of(rows.Get(i), "rows")));
  read_init(o, r);
  r.texts = optional_texts(o);
  if (!r.texts) r.context = to_tensor(o.Get("context"), "context");
  r.negative_context = optional_tensor(o, "negativeContext");
  r.pooled = optional_tensor(o, "pooled");
  r.negative_pooled = optional_tensor(o, "negativePooled");
  r.time_ids = optional_floats(o, "timeIds");
  r.negative_time_ids = optional_floats(o, "negativeTimeIds");
  r.guidance_scale = number_of(o, "guidanceScale");
  r.guidance_rescale = number_of(o, "guidanceRescale");
  r.guidance_window = optional_floats(o, "guidanceWindow");
  if (!o.Get("freeU").IsUndefined()) {
    const Napi::Object f = object_of(o.Get("freeU"), "freeU");
    r.free_u = {{number_of(f, "b1"), number_of(f, "b2")}, {number_of(f, "s1"), number_of(f, "s2")}};
  }
  if (!o.Get("reuseEvery").IsUndefined()) r.reuse_every = static_cast<int>(whole(o, "reuseEvery", 1, 1000));
  const Napi::Value seed = o.Get("seed");
  if (!seed.IsBigInt()) fail(Code::OPTION_TYPE, "Expected a BigInt for seed", "pass a BigInt", {{"option", "seed"}});
  bool lossless = false;
  r.seed = seed.As<Napi::BigInt>().Uint64Value(&lossless);
  if (const Napi::Value noise = o.Get("noise"); !noise.IsUndefined()) r.noise = to_noise(object_of(noise, "noise"));
  if (const Napi::Value batch = o.Get("batch"); batch.IsObject()) {
    r.batch_count = whole(batch.As<Napi::Object>(), "count", 1, 64);
    r.batch_index = whole(batch.As<Napi::Object>(), "index", 0, static_cast<double>(r.batch_count - 1));
  }
  const Napi::Array prompts = array_of(o.Get("prompts"), "prompts");
  for (uint32_t i = 0; i < prompts.Length(); ++i) {
    const Napi::Object p = object_of(prompts.Get(i), "prompts");
    spec.adapters.push_back(NetworkHandle::get(p.Get("adapter"), "adapter"));
    r.prompts.push_back({spec.adapters.back()->network.get(),
                         to_tensor(p.Get("tokens"), "tokens"),
                         optional_tensor(p, "negativeTokens"),
                         to_floats(p.Get("scales"), "scales"),
                         to_floats(p.Get("window"), "window"),
                         optional_mask(p),
                         {optional_floats(p, "tokenGains"), optional_floats(p, "siteGains")}});
  }
  add_controls(o, spec);
  spec.keep_steps = flag_or(o, "keepSteps", false);
  read_preview(o, spec);
  check(spec);
  return spec;
}

}  // namespace ipa::binding
