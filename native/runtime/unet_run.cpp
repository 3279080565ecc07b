#include "runtime/unet_run.h"

#include <cmath>

#include "core/error.h"
#include "runtime/recorders.h"

namespace ipa {

namespace {

void check_finite(const Tensor& t, const char* what) {
  for (float v : t.data)
    if (!std::isfinite(v))
      fail(Code::NAN_CONDITION, std::string(what) + " holds a number that is NaN or infinite",
           "check the reference picture and the adapter's weights", {{"stage", what}});
}

// "text_k" of "<site>.text_k".
std::string last_name(const std::string& path) { return path.substr(path.rfind('.') + 1); }

RecordRequest step_request(const UNetConfig& config, const UNetRequest& r) {
  Conditioning c;
  c.batch = r.x.n;
  c.text_tokens = r.context.shape.tokens();
  c.time_rows = config.added_conditioning() ? r.x.n : 1;
  for (const ImagePromptTokens& prompt : r.prompts)
    c.image_prompts.push_back({static_cast<int>(prompt.tokens.shape.tokens()), prompt.mask.has_value()});
  c.control = r.control, c.features = r.features, c.feature_mid = r.feature_mid;
  return {{{"x", r.x}}, step_numbers(c), r.taps};
}

// Inputs of the plan that makes K and V of an image prompt.
Tensors image_kv_inputs(const ImagePromptTokens& prompt) {
  Tensors inputs = {{"tokens", prompt.tokens}};
  const auto& [token_gains, site_gains] = prompt.factors;
  const int64_t tokens = static_cast<int64_t>(token_gains.size()), sites = static_cast<int64_t>(site_gains.size());
  if (tokens > 0) inputs["value_gain"] = {{1, 1, tokens, 1}, token_gains};
  if (sites > 0) inputs["site_gains"] = {{1, 1, 1, sites}, site_gains};
  return inputs;
}

// mask<i>.<h>x<w> for every grid on which the network attends.
void set_masks(Prepared& step, const UNetRequest& r) {
  for (size_t i = 0; i < r.prompts.size(); ++i) {
    if (!r.prompts[i].mask) continue;
    const std::string own = "mask" + std::to_string(i) + ".";
    for (const auto& [input, id] : step.plan().inputs) {
      if (!input.starts_with(own)) continue;
      const Shape& grid = step.plan().values[static_cast<size_t>(id)].shape;
      step.set(input, mask_grid(*r.prompts[i].mask, {r.x.h, r.x.w}, {grid.h, grid.w}));
    }
  }
}

}  // namespace

UNetRun::UNetRun(Network& unet, const UNetConfig& config, const UNetRequest& r, const StopFlag& stop)
    : unet_(unet),
      held_(unet),
      step_(unet.prepare("step", step_request(config, r))),
      calls_(r.timesteps.size()),
      features_(r.features > 0 || r.feature_mid) {
  const Backend& backend = unet.device().backend;
  const std::map<std::string, ValueId>& inputs = step_.plan().inputs;
  const auto bytes_of = [&](const std::string& input) {
    return static_cast<size_t>(step_.plan().values[inputs.at(input)].shape.size()) * sizeof(float);
  };
  // Brings the outputs of another program into the inputs that `from` finds a name for.
  const auto take = [&](const Prepared& made, const auto& from) {
    std::vector<Copy> copies;
    for (const auto& [input, id] : inputs)
      if (const std::string output = from(input); !output.empty())
        copies.push_back({made.output(output), step_.input(input), bytes_of(input)});
    backend.copy(backend.self, copies.data(), copies.size());
  };

  check_finite(r.context, "the text's encoding");
  take(unet.compute("text_kv", {{"context", r.context}}, {}, {}, stop),
       [](const std::string& input) { return last_name(input).starts_with("text_") ? input : std::string(); });
  for (size_t i = 0; i < r.prompts.size(); ++i) {
    check_finite(r.prompts[i].tokens, "an image prompt's tokens");
    const std::string own = "image" + std::to_string(i) + "_";  // <site>.image<i>_k; the request plan has no number
    take(r.prompts[i].adapter->compute("image_kv", image_kv_inputs(r.prompts[i]), {}, {}, stop),
         [&](const std::string& input) {
           const std::string last = last_name(input);
           if (!last.starts_with(own)) return std::string();
           return input.substr(0, input.size() - last.size()) + "image_" + last.substr(own.size());
         });
  }

  set_masks(step_, r);

  // Their projections to K and V have done their work for this request.
  for (const ImagePromptTokens& prompt : r.prompts) prompt.adapter->leave();

  Tensor timesteps{{static_cast<int64_t>(calls_), 1, 1, 1}, {}};
  for (double t : r.timesteps) timesteps.data.push_back(static_cast<float>(t));
  Tensors given = {{"timesteps", std::move(timesteps)}};
  if (config.added_conditioning()) given["pooled"] = r.pooled, given["time_ids"] = r.time_ids;
  // Taps of the time embedding are the schedule plan's; asking for them there is harmless where they do not exist.
  const Prepared& schedule = unet.compute("schedule", given, {}, r.taps, stop);
  for (const auto& [output, id] : schedule.plan().outputs)
    if (last_name(output) != "time") schedule_taps_[output] = schedule.get(output);

  // The schedule's program may run again for someone else: its rows are kept here, and the scales beside them.
  std::vector<Copy> kept;
  size_t bytes = 0;
  for (const auto& [input, id] : inputs) {
    const bool time = last_name(input) == "time";
    if (!time && input != "scales") continue;
    first_.push_back({{nullptr, bytes}, step_.input(input), bytes_of(input)});
    if (time)
      kept.push_back({schedule.output(input), {nullptr, bytes}, bytes_of(input) * calls_});
    else
      scales_.offset = bytes, cells_ = bytes_of(input) / sizeof(float);
    bytes += bytes_of(input) * calls_;
  }
  rows_ = Memory(backend, bytes);
  for (Copy& copy : kept) copy.to = rows_.place(copy.to.offset);
  for (Copy& copy : first_) copy.from = rows_.place(copy.from.offset);
  scales_ = rows_.place(scales_.offset);
  backend.copy(backend.self, kept.data(), kept.size());
  now_ = first_;
  set_scales(std::vector<float>(cells_ * calls_));
}

void UNetRun::set_scales(std::span<const float> of_calls) {
  if (of_calls.size() != cells_ * calls_)
    fail(Code::INTERNAL,
         std::to_string(of_calls.size()) + " scales were given; " + std::to_string(calls_) + " calls read " +
             std::to_string(cells_) + " each",
         "report this with the call that was made");
  const Backend& backend = unet_.device().backend;
  if (cells_ > 0) backend.write(backend.self, scales_, of_calls.data(), of_calls.size_bytes());
}

void UNetRun::forward(int call, const StopFlag& stop, bool check) {
  for (size_t i = 0; i < first_.size(); ++i)
    now_[i].from = first_[i].from.at(first_[i].bytes * static_cast<size_t>(call));
  const Backend& backend = unet_.device().backend;
  backend.copy(backend.self, now_.data(), now_.size());
  unet_.count("step");
  step_.run(stop, check);
}

Tensors UNetRun::taps() const {
  Tensors taps = schedule_taps_;
  for (const auto& [output, id] : step_.plan().outputs)
    if (output != "eps") taps[output] = step_.get(output);
  return taps;
}

}  // namespace ipa
