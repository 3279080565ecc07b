#include "runtime/unet_run.h"

#include <algorithm>
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

RecordRequest step_request(const UNetConfig& config, const UNetRequest& r) {
  Conditioning c;
  c.batch = r.x.n;
  c.text_tokens = r.context.shape.tokens();
  c.time_rows = config.added_conditioning() ? r.x.n : 1;
  for (const ImagePromptTokens& prompt : r.prompts)
    c.image_prompts.push_back({static_cast<int>(prompt.tokens.shape.tokens()), false});
  return {{{"x", r.x}}, step_numbers(c), r.taps};
}

}  // namespace

UNetRun::UNetRun(Network& unet, const UNetConfig& config, const UNetRequest& r, const StopFlag& stop)
    : unet_(unet), step_(unet.prepare("step", step_request(config, r))) {
  check_finite(r.context, "the text's encoding");
  text_ = unet.run("text_kv", {{"context", r.context}}, {}, {}, stop);
  for (const ImagePromptTokens& prompt : r.prompts) {
    check_finite(prompt.tokens, "an image prompt's tokens");
    images_.push_back(prompt.adapter->run("image_kv", {{"tokens", prompt.tokens}}, {}, {}, stop));
  }
  Tensor timesteps{{static_cast<int64_t>(r.timesteps.size()), 1, 1, 1}, {}};
  for (double t : r.timesteps) timesteps.data.push_back(static_cast<float>(t));
  Tensors inputs = {{"timesteps", std::move(timesteps)}};
  if (config.added_conditioning()) inputs["pooled"] = r.pooled, inputs["time_ids"] = r.time_ids;
  // Taps of the time embedding are the schedule plan's; asking for them there is harmless where they do not exist.
  schedule_ = unet.run("schedule", inputs, {}, r.taps, stop);

  const Plan& plan = step_.plan();
  for (const auto& [name, id] : plan.inputs) {
    const size_t index = bindings_.inputs.size();
    const size_t dot = name.rfind('.');
    const std::string site = name.substr(0, dot == std::string::npos ? 0 : dot);
    const std::string last = name.substr(dot == std::string::npos ? 0 : dot + 1);
    const float* data = nullptr;
    if (name == "x") {
      x_input_ = index;
    } else if (name == "scales") {
      scales_.resize(static_cast<size_t>(plan.values[id].shape.size()));
      scales_input_ = index;
      has_scales_ = true;
      data = scales_.data();
    } else if (last == "time") {
      const Tensor& rows = schedule_.at(name);
      data = rows.data.data();
      time_rows_.push_back({index, data, rows.data.size() / static_cast<size_t>(rows.shape.n)});
    } else if (last.starts_with("text_")) {
      data = text_.at(name).data.data();
    } else if (last.starts_with("image")) {  // image<i>_k
      const size_t prompt = std::stoul(last.substr(5));
      data = images_.at(prompt).at(site + ".image" + last.substr(last.find('_'))).data.data();
    } else {
      fail(Code::INTERNAL, "the step plan reads " + quoted(name) + ", which nobody gives", "report this");
    }
    bindings_.inputs.push_back(data);
  }
  for (const auto& [name, id] : plan.outputs) {
    if (name == "eps") {
      eps_output_ = bindings_.outputs.size();
      bindings_.outputs.push_back(nullptr);
      continue;
    }
    Tensor& tap = taps_.emplace(name, Tensor{plan.values[id].shape, {}}).first->second;
    tap.data.resize(static_cast<size_t>(tap.shape.size()));
    bindings_.outputs.push_back(tap.data.data());
  }
  for (const auto& [name, tensor] : schedule_)
    if (!name.ends_with(".time")) taps_[name] = tensor;
}

void UNetRun::forward(std::span<const float> x, int call, std::span<const float> scales, std::span<float> eps,
                      const StopFlag& stop, bool check) {
  bindings_.inputs[x_input_] = x.data();
  if (has_scales_) std::copy(scales.begin(), scales.end(), scales_.begin());
  for (const TimeRow& row : time_rows_) bindings_.inputs[row.input] = row.first + row.step * static_cast<size_t>(call);
  bindings_.outputs[eps_output_] = eps.data();
  unet_.count("step");
  step_.run(bindings_, stop, check);
}

}  // namespace ipa
