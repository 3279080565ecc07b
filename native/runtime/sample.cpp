#include "runtime/sample.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/random.h"

namespace ipa {

namespace {

// Normal numbers for one picture of a draw of `count`, turned from the reference's [C, h, w] order to NHWC.
class Noise {
 public:
  Noise(uint64_t seed, int64_t index, int64_t count, const Shape& x)
      : generator_(seed), index_(index), shape_(x), drawn_(static_cast<size_t>(count * x.size())) {}

  void operator()(std::span<float> out) {
    generator_.randn(std::span<float>(drawn_));
    const int64_t pixels = shape_.tokens();
    const float* from = drawn_.data() + index_ * shape_.size();
    for (int64_t c = 0; c < shape_.c; ++c)
      for (int64_t p = 0; p < pixels; ++p) out[static_cast<size_t>(p * shape_.c + c)] = from[c * pixels + p];
  }

 private:
  TorchCpuGenerator generator_;
  int64_t index_;
  Shape shape_;
  std::vector<float> drawn_;
};

// Rows of a batch: [negative, positive], or the positive alone.
Tensor stacked(const Tensor& negative, const Tensor& positive) {
  if (negative.data.empty()) return positive;
  if (negative.shape != positive.shape)
    fail(Code::INTERNAL, "the halves of a guided batch differ: " + text(negative.shape) + ", " + text(positive.shape),
         "report this");
  Tensor t{positive.shape, negative.data};
  t.shape.n = 2;
  t.data.insert(t.data.end(), positive.data.begin(), positive.data.end());
  return t;
}

UNetRequest unet_request(const UNetConfig& config, const SampleRequest& r) {
  UNetRequest u;
  const bool guided = r.guided();
  u.x = {guided ? 2 : 1, r.height, r.width, config.in_channels};
  u.context = stacked(r.negative_context, r.context);
  if (config.added_conditioning()) {
    u.pooled = stacked(r.negative_pooled, r.pooled);
    const int64_t count = static_cast<int64_t>(r.time_ids.size());
    const Tensor ids{{1, 1, 1, count}, r.time_ids};
    u.time_ids = stacked(guided ? Tensor{{1, 1, 1, count}, r.negative_time_ids} : Tensor{}, ids);
  }
  for (const SamplePrompt& prompt : r.prompts)
    u.prompts.push_back({prompt.adapter, stacked(guided ? prompt.negative : Tensor{}, prompt.tokens)});
  for (const StepRow& row : r.rows) u.timesteps.push_back(row.timestep);
  return u;
}

}  // namespace

Tensor sample(Network& unet, const UNetConfig& config, const SampleRequest& r, const SampleEvents& events,
              const StopFlag& stop) {
  const Shape latent{1, r.height, r.width, config.out_channels};
  const size_t size = static_cast<size_t>(latent.size());
  UNetRun run(unet, config, unet_request(config, r), stop);
  Noise noise(r.seed, r.batch_index, r.batch_count, latent);
  std::vector<float> x(size);
  noise(x);
  for (float& v : x) v = static_cast<float>(static_cast<double>(v) * r.init_noise_sigma);
  StepState state(std::move(x));

  const size_t halves = r.guided() ? 2 : 1, prompts = r.prompts.size();
  std::vector<float> input(size * halves), eps(size * halves), guided(size), scales(run.cells());
  for (size_t call = 0; call < r.rows.size(); ++call) {
    const StepRow& row = r.rows[call];
    for (size_t i = 0; i < size; ++i) {
      const float scaled = static_cast<float>(row.input_scale * static_cast<double>(state.x()[i]));
      for (size_t half = 0; half < halves; ++half) input[half * size + i] = scaled;
    }
    for (size_t p = 0; p < prompts; ++p)
      for (size_t site = 0; site < r.prompts[p].scales.size(); ++site)
        scales[site * prompts + p] = r.prompts[p].scales[site] * r.prompts[p].window[static_cast<size_t>(row.step)];
    run.forward(input, static_cast<int>(call), scales, eps, stop);
    std::span<const float> out(eps);
    if (halves == 2) {
      guide(out.first(size), out.last(size), r.guidance_scale, r.guidance_rescale, guided);
      out = guided;
    }
    state.apply(row, out, noise);
    if (!std::all_of(state.x().begin(), state.x().end(), [](float v) { return std::isfinite(v); }))
      fail(Code::NAN_LATENTS, "the latents became NaN or infinite at step " + std::to_string(row.step + 1),
           "use dtype f32, lower the adapter scale, or check the LoRA", {{"step", std::to_string(row.step)}});
    if (events.latents) events.latents({latent, {state.x().begin(), state.x().end()}});
    if (events.stepped) events.stepped(static_cast<int>(call), row.step);
  }
  return {latent, {state.x().begin(), state.x().end()}};
}

}  // namespace ipa
