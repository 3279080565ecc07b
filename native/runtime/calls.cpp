#include "runtime/calls.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "core/error.h"

namespace ipa {

namespace {

// Rows of a batch: [negative, positive, …], or the positive alone.
Tensor stacked(const Tensor& negative, const Tensor& positive, int64_t rows = 2) {
  if (negative.data.empty()) return positive;
  if (negative.shape != positive.shape)
    fail(Code::INTERNAL, "the halves of a guided batch differ: " + text(negative.shape) + ", " + text(positive.shape),
         "report this");
  Tensor t{positive.shape, negative.data};
  t.shape.n = rows;
  for (int64_t row = 1; row < rows; ++row) t.data.insert(t.data.end(), positive.data.begin(), positive.data.end());
  return t;
}

// The texts of every outer step, call by call.
void set_texts(UNetRequest& u, const SampleRequest& r) {
  u.conditions = r.texts->conditions;
  for (const StepRow& row : r.rows) u.choices.push_back(r.texts->steps.at(static_cast<size_t>(row.step)));
}

// Of the whole batch.
UNetRequest unet_request(const UNetConfig& config, const SampleRequest& r) {
  UNetRequest u;
  const bool guided = r.guided();
  u.x = {r.batch(), r.height, r.width, config.in_channels};
  if (r.texts)
    set_texts(u, r);
  else
    u.context = stacked(r.negative_context, r.context);
  if (config.added_conditioning() && !r.texts) {
    u.pooled = stacked(r.negative_pooled, r.pooled);
    const int64_t count = static_cast<int64_t>(r.time_ids.size());
    const Tensor ids{{1, 1, 1, count}, r.time_ids};
    u.time_ids = stacked(guided ? Tensor{{1, 1, 1, count}, r.negative_time_ids} : Tensor{}, ids);
  }
  for (const SamplePrompt& prompt : r.prompts)
    u.prompts.push_back({prompt.adapter, stacked(guided ? prompt.negative : Tensor{}, prompt.tokens, r.batch()),
                         prompt.mask, prompt.factors});
  for (const StepRow& row : r.rows) u.timesteps.push_back(row.timestep);
  u.free_u = r.free_u;
  return u;
}

Tensor only(const Tensor& all, const std::vector<size_t>& rows) {
  Tensor some{all.shape, {}};
  if (all.data.empty()) return some;
  some.shape.n = static_cast<int64_t>(rows.size());
  const size_t size = static_cast<size_t>(all.shape.size() / all.shape.n);
  for (const size_t row : rows) {
    const auto first = all.data.begin() + static_cast<std::ptrdiff_t>(row * size);
    some.data.insert(some.data.end(), first, first + static_cast<std::ptrdiff_t>(size));
  }
  return some;
}

UNetRequest only(UNetRequest u, const std::vector<size_t>& rows) {
  u.x.n = static_cast<int64_t>(rows.size());
  for (Tensor* tensor : {&u.context, &u.pooled, &u.time_ids}) *tensor = only(*tensor, rows);
  for (ImagePromptTokens& prompt : u.prompts) prompt.tokens = only(prompt.tokens, rows);
  for (std::vector<size_t>& choices : u.choices) {
    std::vector<size_t> some;
    for (const size_t row : rows) some.push_back(choices.at(row));
    choices = std::move(some);
  }
  return u;
}

// Of every call, as UNetRun numbers its cells.
std::vector<float> scales(const SampleRequest& r, const UNetRun& run, const ControlRun& controls) {
  std::vector<float> all;
  all.reserve(run.cells() * r.rows.size());
  for (const StepRow& row : r.rows) {
    std::vector<float> of_call(run.cells());
    if (of_call.empty()) break;  // nothing that its plan reads has a scale
    for (size_t p = 0; p < r.prompts.size(); ++p)
      for (size_t site = 0; site < r.prompts[p].scales.size(); ++site)
        of_call[site * r.prompts.size() + p] =
            r.prompts[p].scales[site] * r.prompts[p].window[static_cast<size_t>(row.step)];
    controls.set_cells(row.step, run, of_call);
    all.insert(all.end(), of_call.begin(), of_call.end());
  }
  return all;
}

std::vector<size_t> from_0_to(size_t count) {
  std::vector<size_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), size_t{0});
  return numbers;
}

}  // namespace

Half positive_half(const SampleRequest& r) {
  if (!r.texts) return {{1}, {1}};
  Half half;
  double all = 0;
  for (size_t i = 0; i < r.texts->weights.size(); ++i) {
    if (r.texts->weights[i] <= 0) continue;
    half.rows.push_back(i + 1);
    half.weights.push_back(r.texts->weights[i]);
    all += r.texts->weights[i];
  }
  for (double& weight : half.weights) weight /= all;
  return half;
}

std::vector<Way> ways_of(const SampleRequest& r) {
  std::vector<Way> ways;
  bool keeps = false, keeps_negative = false;
  int before = -1;
  for (const StepRow& row : r.rows) {
    const bool guided =
        r.guided() && (r.guidance_window.empty() || r.guidance_window[static_cast<size_t>(row.step)] != 0);
    bool shallow = keeps && row.step % r.reuse_every != 0 && row.step != r.rows.back().step;
    if (guided && !keeps_negative) shallow = false;
    if (row.step == before) shallow = ways.back().shallow;
    if (!shallow) keeps = true, keeps_negative = guided;
    before = row.step;
    ways.push_back({guided, shallow});
  }
  return ways;
}

Calls::Calls(Network& unet, const UNetConfig& config, const SampleRequest& r, const Start& start, const StopFlag& stop)
    : unet_(unet),
      config_(config),
      request_(r),
      ways_(ways_of(r)),
      bytes_(static_cast<size_t>(r.height * r.width * config.out_channels) * sizeof(float)) {
  UNetRequest all = unet_request(config, r);
  announce(r.controls, config, all);
  all.keeps = std::any_of(ways_.begin(), ways_.end(), [](const Way& way) { return way.shallow; });
  for (const Way& way : ways_) make_ready(way, all, start, stop);
}

void Calls::make_ready(Way way, const UNetRequest& all, const Start& start, const StopFlag& stop) {
  std::unique_ptr<Ready>& half = halves_[way.guided ? 1 : 0];
  if (!half) {
    half = std::make_unique<Ready>();
    const bool every_row = way.guided || !request_.guided();
    half->half = every_row ? Half{from_0_to(static_cast<size_t>(all.x.n)), {1}} : positive_half(request_);
    half->controls = request_.controls;
    if (!way.guided)
      for (Control& control : half->controls) control.conditional_only = false;  // there is no other row
    half->told = only(all, half->half.rows);
  }
  half->told.shallow = way.shallow;
  Part& own = way.shallow ? half->shallow : half->whole;
  if (own.run) return;
  own = part(*half, start, stop);
  if (!half->steering)
    half->steering = std::make_unique<ControlRun>(half->controls, config_, half->told, unet_.device().backend, stop);
  own.run->set_scales(scales(request_, *own.run, *half->steering));
}

Calls::Part Calls::part(const Ready& half, const Start& start, const StopFlag& stop) {
  Part made;
  made.run = std::make_unique<UNetRun>(unet_, config_, half.told, stop);
  made.feed = std::make_unique<Feed>(unet_.device().backend, config_, start, *made.run, half.told.x.n);
  return made;
}

void Calls::take_kept(Ready& half) {
  if (half.holds == kept_) return;
  half.holds = kept_;
  const Place from = keeper_->whole.run->step().output("kept"), to = half.shallow.run->step().input("kept");
  const size_t bytes = half.shallow.run->kept_bytes();
  std::vector<Copy> rows;
  for (size_t row = 0; row < half.half.rows.size(); ++row) {
    const std::vector<size_t>& there = keeper_->half.rows;
    const auto place = std::find(there.begin(), there.end(), half.half.rows[row]) - there.begin();
    rows.push_back({from.at(bytes * static_cast<size_t>(place)), to.at(bytes * row), bytes});
  }
  const Backend& backend = unet_.device().backend;
  backend.copy(backend.self, rows.data(), rows.size());
}

Place Calls::operator()(size_t call, const StepState& state, const StopFlag& stop) {
  const StepRow& row = request_.rows[call];
  const Way way = ways_[call];
  Ready& half = *halves_[way.guided ? 1 : 0];
  const Part& part = way.shallow ? half.shallow : half.whole;
  (*part.feed)(state, row.input_scale);
  if (way.shallow)
    take_kept(half);
  else
    keeper_ = &half, kept_ = call + 1;
  half.steering->forward(static_cast<int>(call), row.step, *part.run, stop);
  part.run->forward(static_cast<int>(call), stop);
  const Place eps = part.run->eps();
  if (!way.guided) return half.half.rows.size() == 1 ? eps : state.summed(eps, bytes_, half.half.weights);
  const bool one = !request_.texts || (request_.texts->weights.size() == 1 && request_.texts->weights[0] == 1);
  const Place positive = one ? eps.at(bytes_) : state.composed(eps, bytes_, request_.texts->weights);
  return state.guided(eps, positive, request_.guidance_scale, request_.guidance_rescale);
}

}  // namespace ipa
