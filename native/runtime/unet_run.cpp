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
  c.text_tokens = (r.conditions.empty() ? r.context : r.conditions[0].context).shape.tokens();
  c.time_rows = config.added_conditioning() ? r.x.n : 1;
  for (const ImagePromptTokens& prompt : r.prompts)
    c.image_prompts.push_back({static_cast<int>(prompt.tokens.shape.tokens()), prompt.mask.has_value()});
  c.control = r.control, c.features = r.features, c.feature_mid = r.feature_mid;
  c.free_u = r.free_u.has_value();
  RecordRequest request{{{"x", r.x}}, step_numbers(c), r.taps};
  if (r.keeps && !r.shallow) request.numbers["kept"] = 1;
  return request;
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

size_t bytes_of(const Prepared& step, const std::string& input) {
  const Plan& plan = step.plan();
  return static_cast<size_t>(plan.values[static_cast<size_t>(plan.inputs.at(input))].shape.size()) * sizeof(float);
}

// Brings the outputs of another program into the inputs of `step` that `from` finds a name for.
template <typename From>
void take(const Backend& backend, Prepared& step, const Prepared& made, const From& from) {
  std::vector<Copy> copies;
  for (const auto& [input, id] : step.plan().inputs)
    if (const std::string output = from(input); !output.empty())
      copies.push_back({made.output(output), step.input(input), bytes_of(step, input)});
  backend.copy(backend.self, copies.data(), copies.size());
}

}  // namespace

UNetRun::UNetRun(Network& unet, const UNetConfig& config, const UNetRequest& r, const StopFlag& stop)
    : unet_(unet),
      plan_(r.shallow ? "shallow" : "step"),
      held_(unet),
      lent_(unet.lend(plan_, step_request(config, r))),
      step_(*lent_),
      calls_(r.timesteps.size()),
      features_(r.features > 0 || r.feature_mid) {
  const Backend& backend = unet.device().backend;
  take_texts(r, stop);
  for (size_t i = 0; i < r.prompts.size(); ++i) {
    check_finite(r.prompts[i].tokens, "an image prompt's tokens");
    const std::string own = "image" + std::to_string(i) + "_";  // <site>.image<i>_k; the request plan has no number
    take(backend, step_, r.prompts[i].adapter->compute("image_kv", image_kv_inputs(r.prompts[i]), {}, {}, stop),
         [&](const std::string& input) {
           const std::string last = last_name(input);
           if (!last.starts_with(own)) return std::string();
           return input.substr(0, input.size() - last.size()) + "image_" + last.substr(own.size());
         });
  }

  set_masks(step_, r);
  if (r.free_u) set_free_u(step_, *r.free_u);

  // Their projections to K and V have done their work for this request.
  for (const ImagePromptTokens& prompt : r.prompts) prompt.adapter->done();

  keep_times(config, r, stop);
  now_ = first_;
  set_scales(std::vector<float>(cells_ * calls_));
}

void UNetRun::take_texts(const UNetRequest& r, const StopFlag& stop) {
  if (!r.conditions.empty()) {
    for (const Condition& condition : r.conditions) check_finite(condition.context, "the text's encoding");
    wording_.emplace(unet_, step_, r.conditions, r.choices, stop);
    return;
  }
  check_finite(r.context, "the text's encoding");
  take(unet_.device().backend, step_, unet_.compute("text_kv", {{"context", r.context}}, {}, {}, stop),
       [](const std::string& input) { return last_name(input).starts_with("text_") ? input : std::string(); });
}

// The schedule's program may run again for someone else: its rows are kept here, and the scales beside them.
void UNetRun::keep_times(const UNetConfig& config, const UNetRequest& r, const StopFlag& stop) {
  const Backend& backend = unet_.device().backend;
  std::vector<std::pair<std::string, size_t>> times;  // and where they are in first_
  size_t bytes = 0;
  for (const auto& [input, id] : step_.plan().inputs) {
    const bool time = last_name(input) == "time";
    if (!time && input != "scales") continue;
    if (time)
      times.emplace_back(input, first_.size());
    else
      scales_.offset = bytes, cells_ = bytes_of(step_, input) / sizeof(float);
    first_.push_back({{nullptr, bytes}, step_.input(input), bytes_of(step_, input)});
    bytes += bytes_of(step_, input) * calls_;
  }
  rows_ = Memory(backend, bytes);
  for (Copy& copy : first_) copy.from = rows_.place(copy.from.offset);
  scales_ = rows_.place(scales_.offset);

  Tensor timesteps{{static_cast<int64_t>(calls_), 1, 1, 1}, {}};
  for (double t : r.timesteps) timesteps.data.push_back(static_cast<float>(t));
  Tensors given = {{"timesteps", std::move(timesteps)}};
  const auto schedule = [&]() -> const Prepared& {
    // Taps of the time embedding are the schedule plan's; asking for them there is harmless where they do not exist.
    const Prepared& made = unet_.compute("schedule", given, {}, r.taps, stop);
    for (const auto& [output, id] : made.plan().outputs)
      if (last_name(output) != "time") schedule_taps_[output] = made.get(output);
    return made;
  };
  std::vector<Copy> kept;
  if (config.added_conditioning() && !r.conditions.empty()) {
    for (size_t i = 0; i < r.conditions.size(); ++i) {
      const Condition& condition = r.conditions[i];
      given["pooled"] = condition.pooled;
      given["time_ids"] = {{1, 1, 1, static_cast<int64_t>(condition.time_ids.size())}, condition.time_ids};
      const Prepared& made = schedule();
      kept.clear();
      for (const auto& [input, place] : times) {
        const Copy& first = first_[place];
        const size_t rows = r.choices.at(0).size(), row_bytes = first.bytes / rows;
        for (size_t call = 0; call < calls_; ++call)
          for (size_t row = 0; row < rows; ++row)
            if (r.choices.at(call).at(row) == i)
              kept.push_back({made.output(input).at(row_bytes * call),
                              first.from.at(first.bytes * call + row_bytes * row), row_bytes});
      }
      backend.copy(backend.self, kept.data(), kept.size());
    }
    return;
  }
  if (config.added_conditioning()) given["pooled"] = r.pooled, given["time_ids"] = r.time_ids;
  const Prepared& made = schedule();
  for (const auto& [input, place] : times)
    kept.push_back({made.output(input), first_[place].from, first_[place].bytes * calls_});
  backend.copy(backend.self, kept.data(), kept.size());
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
  if (wording_) wording_->bring(static_cast<size_t>(call));
  unet_.count(plan_);
  step_.run(stop, check);
}

size_t UNetRun::kept_bytes() const {
  const Plan& plan = step_.plan();
  const auto& names = plan.inputs.contains("kept") ? plan.inputs : plan.outputs;
  const Shape& shape = plan.values[static_cast<size_t>(names.at("kept"))].shape;
  return static_cast<size_t>(shape.size() / shape.n) * sizeof(float);
}

Tensors UNetRun::taps() const {
  Tensors taps = schedule_taps_;
  for (const auto& [output, id] : step_.plan().outputs)
    if (output != "eps") taps[output] = step_.get(output);
  return taps;
}

}  // namespace ipa
