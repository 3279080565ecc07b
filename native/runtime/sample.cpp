#include "runtime/sample.h"

#include "core/error.h"
#include "runtime/feed.h"

namespace ipa {

namespace {

// Normal numbers for one picture of a draw of `count`, turned from the reference's [C, h, w] order to NHWC.
class Noise {
 public:
  Noise(const SampleRequest& r, const Shape& x)
      : initial_(normals_of(r.noise.source, r.noise.type, r.seed)),
        index_(r.batch_index),
        shape_(x),
        drawn_(static_cast<size_t>(r.batch_count * x.size())) {
    if (r.noise.steps) steps_ = normals_of(*r.noise.steps, r.noise.type, r.seed);
  }

  void initial(std::span<float> out) { draw(initial_, out); }
  void operator()(std::span<float> out) { draw(steps_ ? steps_ : initial_, out); }
  // Of a picture that all of the draw share.
  void alone(std::span<float> out) {
    const std::span<float> one = std::span(drawn_).first(out.size());
    initial_(one);
    turn(one.data(), out);
  }

 private:
  void draw(const Normals& normals, std::span<float> out) {
    normals(drawn_);
    turn(drawn_.data() + index_ * shape_.size(), out);
  }
  void turn(const float* from, std::span<float> out) const {
    const int64_t pixels = shape_.tokens();
    for (int64_t c = 0; c < shape_.c; ++c)
      for (int64_t p = 0; p < pixels; ++p) out[static_cast<size_t>(p * shape_.c + c)] = from[c * pixels + p];
  }

  Normals initial_, steps_;
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
    u.prompts.push_back(
        {prompt.adapter, stacked(guided ? prompt.negative : Tensor{}, prompt.tokens), prompt.mask, prompt.factors});
  for (const StepRow& row : r.rows) u.timesteps.push_back(row.timestep);
  return u;
}

// Of every call, as UNetRun numbers its cells.
std::vector<float> scales(const SampleRequest& r, const UNetRun& run, const ControlRun& controls) {
  std::vector<float> all;
  all.reserve(run.cells() * r.rows.size());
  for (const StepRow& row : r.rows) {
    std::vector<float> of_call(run.cells());
    for (size_t p = 0; p < r.prompts.size(); ++p)
      for (size_t site = 0; site < r.prompts[p].scales.size(); ++site)
        of_call[site * r.prompts.size() + p] =
            r.prompts[p].scales[site] * r.prompts[p].window[static_cast<size_t>(row.step)];
    controls.set_cells(row.step, of_call);
    all.insert(all.end(), of_call.begin(), of_call.end());
  }
  return all;
}

}  // namespace

Tensor sample(Network& unet, const UNetConfig& config, const SampleRequest& r, const SampleEvents& events,
              const StopFlag& stop) {
  const Shape latent{1, r.height, r.width, config.out_channels};
  Noise noise(r, latent);
  const Start start(
      r.init, latent,
      {[&](std::span<float> out) { noise.alone(out); }, [&](std::span<float> out) { noise.initial(out); }});
  Tensor x = start.x();
  if (r.rows.empty()) return x;
  UNetRequest told = unet_request(config, r);
  announce(r.controls, config, told);
  UNetRun run(unet, config, told, stop);
  ControlRun controls(r.controls, config, told, run, stop);
  run.set_scales(scales(r, run, controls));
  const Backend& backend = unet.device().backend;
  StepState state(backend, x.data);
  const Feed feed(backend, config, start, run, r.guided());

  const size_t half = x.data.size() * sizeof(float);
  for (size_t call = 0; call < r.rows.size(); ++call) {
    const StepRow& row = r.rows[call];
    feed(state, row.input_scale);
    controls.forward(static_cast<int>(call), row.step, stop);
    run.forward(static_cast<int>(call), stop);
    const Place out =
        r.guided() ? state.guided(run.eps(), run.eps().at(half), r.guidance_scale, r.guidance_rescale) : run.eps();
    state.apply(row, out, noise);
    if (!state.finite())
      fail(Code::NAN_LATENTS, "the latents became NaN or infinite at step " + std::to_string(row.step + 1),
           "use dtype f32, lower the adapter scale, or check the LoRA", {{"step", std::to_string(row.step)}});
    if (start.keeps()) {
      state.read_x(x.data);
      start.put_back(call, x.data);
      state.write_x(x.data);
    }
    if (events.latents) {
      state.read_x(x.data);
      events.latents(x);
    }
    if (events.stepped) events.stepped(static_cast<int>(call), row.step);
  }
  state.read_x(x.data);
  return x;
}

}  // namespace ipa
