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

// What the network says of a call, guidance included: `eps` holds the rows of the batch, `bytes` each.
Place joined(const StepState& state, const SampleRequest& r, Place eps, size_t bytes) {
  if (!r.guided()) return eps;
  const bool one = !r.texts || (r.texts->weights.size() == 1 && r.texts->weights[0] == 1);
  const Place positive = one ? eps.at(bytes) : state.composed(eps, bytes, r.texts->weights);
  return state.guided(eps, positive, r.guidance_scale, r.guidance_rescale);
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
  const Feed feed(backend, config, start, run, r.batch());

  const size_t bytes = x.data.size() * sizeof(float);
  auto preview = r.previews.begin();
  Tensor denoised{x.shape, std::vector<float>(x.data.size())};
  for (size_t call = 0; call < r.rows.size(); ++call) {
    const StepRow& row = r.rows[call];
    feed(state, row.input_scale);
    controls.forward(static_cast<int>(call), row.step, stop);
    run.forward(static_cast<int>(call), stop);
    const Place out = joined(state, r, run.eps(), bytes);
    const bool shown = events.previewed && preview != r.previews.end() && preview->call == call;
    if (shown) {
      state.read_denoised(preview->x, preview->out, out, denoised.data);
      ++preview;
    }
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
    if (shown) events.previewed(static_cast<int>(call), row.step, denoised);
  }
  state.read_x(x.data);
  return x;
}

}  // namespace ipa
