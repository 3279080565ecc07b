#include "runtime/sample.h"

#include "core/error.h"
#include "runtime/calls.h"

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
  Calls calls(unet, config, r, start, stop);
  StepState state(unet.device().backend, x.data);

  auto preview = r.previews.begin();
  Tensor denoised{x.shape, std::vector<float>(x.data.size())};
  for (size_t call = 0; call < r.rows.size(); ++call) {
    const StepRow& row = r.rows[call];
    const Place out = calls(call, state, stop);
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
