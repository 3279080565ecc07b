// What a picture of 512 x 512 takes that is drawn in four LCM steps without guidance and decoded by a tiny autoencoder:
// text, steps and decode, as many times as long as a forward of the UNet; and the tiny decoder against the full one.
// Weights of SD1.5's shapes follow from their names, nothing is loaded meanwhile.
#include <cmath>

#include "rows.h"
#include "runtime/decode.h"
#include "runtime/prompt.h"
#include "runtime/recorders.h"
#include "runtime/sample.h"
#include "weights/synthetic.h"

namespace ipa::bench {

namespace {

using Plans = std::map<std::string, PlanKind>;

std::unique_ptr<Network> made(const std::shared_ptr<Device>& device, const Plans& plans) {
  return std::make_unique<Network>(device, plans, halved(synthetic("bench", index_of(wants_of(plans)))), LoadOptions{});
}

// Four steps of LCM as lib/schedulers/consistency.ts writes them, on SD1.5's noise.   source: arXiv 2310.04378
std::vector<StepRow> lcm_rows() {
  constexpr int kTrained = 1000;
  std::vector<double> alphas;  // cumulated
  double product = 1;
  for (int t = 0; t < kTrained; ++t) {
    const double root = std::sqrt(0.00085) + (std::sqrt(0.012) - std::sqrt(0.00085)) * t / (kTrained - 1);
    alphas.push_back(product *= 1 - root * root);
  }
  const std::vector<int> timesteps = {999, 759, 519, 259};
  std::vector<StepRow> rows;
  for (size_t i = 0; i < timesteps.size(); ++i) {
    const int t = timesteps[i];
    const double scaled = t * 10.0, data = 0.5, alpha = alphas[static_cast<size_t>(t)];
    const double skip = data * data / (scaled * scaled + data * data);
    const double denoised = scaled / std::sqrt(scaled * scaled + data * data);
    StepRow row;
    row.step = static_cast<int>(i), row.timestep = t;
    row.keep_x = denoised / std::sqrt(alpha) + skip;
    row.keep_out = -denoised * std::sqrt(1 - alpha) / std::sqrt(alpha);
    StepUpdate update;
    update.outputs = {1};
    if (i + 1 < timesteps.size()) {
      const double next = alphas[static_cast<size_t>(timesteps[i + 1])];
      update.outputs = {std::sqrt(next)}, update.noise = std::sqrt(1 - next), update.draws = true;
    }
    row.updates = {update};
    rows.push_back(row);
  }
  return rows;
}

}  // namespace

void few_step_rows(Bench& b, const std::string& level, int threads) {
  const std::string picture = "four LCM steps of a forward", decoders = "decode 512 full over tiny";
  if (!b.wants(picture) && !b.wants(decoders)) return;
  const std::shared_ptr<Device> device = cpu_device(level, threads);
  const Compute compute = device->backend.fastest;
  const StopFlag stop;
  const auto tiny = made(device, tiny_autoencoder_plans({}, compute));
  const Tensor latents{{1, 64, 64, 4}, numbers(64 * 64 * 4, 1)};
  const auto ready = [&](Network& network, const std::string& plan, const RecordRequest& request) -> Prepared& {
    Prepared& program = network.prepare(plan, request);
    set_inputs(program);
    program.run(stop);
    return program;
  };

  if (b.wants(decoders)) {
    VaeConfig config;
    config.widths = {128, 256, 512, 512};
    const auto full = made(device, vae_plans(config, compute));
    const RecordRequest request{{{"z", latents.shape}}, {}, {}};
    Prepared &slow = ready(*full, "decode", request), &fast = ready(*tiny, "decode", request);
    b.report(b.ratio(decoders, [&] { slow.run(stop); }, [&] { fast.run(stop); }));
  }

  if (!b.wants(picture)) return;
  const UNetConfig config = sd15();
  const ClipTextConfig clip;
  const auto unet = made(device, unet_plans(config, compute));
  const auto text = made(device, clip_text_plans(clip, compute));
  Prepared& forward = ready(*unet, "step", sd15_step(/*batch=*/1));
  std::vector<float> ids(77, 49407);  // the start, and ends of the text
  ids[0] = 49406;
  PromptInput prompt{text.get(), &clip, {ids}, {}};
  const auto draw = [&] {
    SampleRequest request;
    request.height = 64, request.width = 64;
    request.rows = lcm_rows();
    request.context = encode_prompt({prompt}, Emphasis::none, stop).context;
    decode_tiny(*tiny, sample(*unet, config, request, {}, stop), stop);
  };
  draw();
  b.report(b.ratio(picture, draw, [&] { forward.run(stop); }));
}

}  // namespace ipa::bench
