#include "runtime/recorders.h"

#include "core/error.h"
#include "models/clip_text.h"
#include "models/clip_vision.h"
#include "models/controlnet.h"
#include "models/t2i_adapter.h"
#include "models/unet.h"
#include "models/vae.h"

namespace ipa {

namespace {

const Shape& shape_of(const RecordRequest& request, const std::string& input) {
  const auto it = request.inputs.find(input);
  if (it == request.inputs.end())
    fail(Code::INTERNAL, "a plan was asked for without the shape of " + quoted(input), "report this");
  return it->second;
}

int64_t number(const RecordRequest& request, const std::string& name, int64_t otherwise) {
  const auto it = request.numbers.find(name);
  return it == request.numbers.end() ? otherwise : static_cast<int64_t>(it->second);
}

Conditioning conditioning(const RecordRequest& request, int64_t batch) {
  Conditioning c;
  c.batch = batch;
  c.text_tokens = number(request, "text_tokens", c.text_tokens);
  c.time_rows = number(request, "time_rows", c.time_rows);
  c.control = number(request, "control", 0) != 0;
  c.features = static_cast<int>(number(request, "features", 0));
  c.feature_mid = number(request, "feature_mid", 0) != 0;
  c.free_u = number(request, "free_u", 0) != 0;
  for (int i = 0; i < number(request, "prompts", 0); ++i) {
    const std::string suffix = std::to_string(i);
    c.image_prompts.push_back(
        {static_cast<int>(number(request, "tokens" + suffix, 4)), number(request, "masked" + suffix, 0) != 0});
  }
  return c;
}

}  // namespace

std::map<std::string, double> step_numbers(const Conditioning& c) {
  std::map<std::string, double> numbers = {{"text_tokens", static_cast<double>(c.text_tokens)},
                                           {"time_rows", static_cast<double>(c.time_rows)},
                                           {"prompts", static_cast<double>(c.image_prompts.size())}};
  for (size_t i = 0; i < c.image_prompts.size(); ++i) {
    numbers["tokens" + std::to_string(i)] = c.image_prompts[i].tokens;
    if (c.image_prompts[i].masked) numbers["masked" + std::to_string(i)] = 1;
  }
  if (c.control) numbers["control"] = 1;
  if (c.features > 0) numbers["features"] = c.features;
  if (c.feature_mid) numbers["feature_mid"] = 1;
  if (c.free_u) numbers["free_u"] = 1;
  return numbers;
}

std::map<std::string, PlanKind> unet_plans(const UNetConfig& unet, Compute compute) {
  const int64_t side = int64_t{1} << (unet.depth() - 1);  // the smallest picture that every level can halve
  Conditioning guided;                                    // with a reference of 16 tokens
  guided.batch = 2, guided.time_rows = unet.added_conditioning() ? 2 : 1;
  guided.image_prompts.push_back({16, false});
  const int64_t usual = unet.added_conditioning() ? 128 : 64;  // 1024x1024 with SDXL, else 512x512
  PlanKind step{[unet](Builder& b, const RecordRequest& r) {
                  const Shape& x = shape_of(r, "x");
                  record_unet(b, unet, x.h, x.w, conditioning(r, x.n), number(r, "kept", 0) != 0);
                },
                {{{"x", {1, side, side, unet.in_channels}}}, {}, {}},
                compute,
                RecordRequest{{{"x", {2, usual, usual, unet.in_channels}}}, step_numbers(guided), {}}};
  PlanKind shallow{[unet](Builder& b, const RecordRequest& r) {
                     const Shape& x = shape_of(r, "x");
                     record_shallow_unet(b, unet, x.h, x.w, conditioning(r, x.n));
                   },
                   {{{"x", {1, side, side, unet.in_channels}}}, {}, {}},
                   compute};
  PlanKind text{[unet](Builder& b, const RecordRequest& r) {
                  const Shape& context = shape_of(r, "context");
                  record_text_kv(b, unet, context.n, context.tokens());
                },
                {{{"context", {1, 1, 1, unet.context}}}, {}, {}},
                compute};
  PlanKind schedule{[unet](Builder& b, const RecordRequest& r) {
                      record_schedule(b, unet, shape_of(r, "timesteps").n,
                                      unet.added_conditioning() ? shape_of(r, "time_ids").n : 1);
                    },
                    {{{"timesteps", {1, 1, 1, 1}}, {"time_ids", {1, 1, 1, unet.time_ids}}}, {}, {}},
                    compute};
  return {{"step", std::move(step)},
          {"shallow", std::move(shallow)},
          {"text_kv", std::move(text)},
          {"schedule", std::move(schedule)}};
}

std::map<std::string, PlanKind> controlnet_plans(const ControlNetConfig& net, Compute compute) {
  const UNetConfig& unet = net.unet;
  const int64_t side = int64_t{1} << (unet.depth() - 1);
  PlanKind hint{[net](Builder& b, const RecordRequest& r) {
                  const Shape& image = shape_of(r, "image");
                  record_hint(b, net, image.h, image.w);
                },
                {{{"image", {1, net.factor(), net.factor(), net.image_channels}}}, {}, {}},
                compute};
  PlanKind step{[net](Builder& b, const RecordRequest& r) {
                  const Shape& x = shape_of(r, "x");
                  record_controlnet(b, net, x.h, x.w, conditioning(r, x.n));
                },
                {{{"x", {1, side, side, unet.in_channels}}}, {}, {}},
                compute};
  PlanKind text{[unet](Builder& b, const RecordRequest& r) {
                  const Shape& context = shape_of(r, "context");
                  record_encoder_text_kv(b, unet, context.n, context.tokens());
                },
                {{{"context", {1, 1, 1, unet.context}}}, {}, {}},
                compute};
  PlanKind schedule{[unet](Builder& b, const RecordRequest& r) {
                      record_encoder_schedule(b, unet, shape_of(r, "timesteps").n,
                                              unet.added_conditioning() ? shape_of(r, "time_ids").n : 1);
                    },
                    {{{"timesteps", {1, 1, 1, 1}}, {"time_ids", {1, 1, 1, unet.time_ids}}}, {}, {}},
                    compute};
  return {{"hint", std::move(hint)},
          {"step", std::move(step)},
          {"text_kv", std::move(text)},
          {"schedule", std::move(schedule)}};
}

std::map<std::string, PlanKind> t2i_adapter_plans(const T2iAdapterConfig& adapter, Compute compute) {
  PlanKind features{[adapter](Builder& b, const RecordRequest& r) {
                      const Shape& image = shape_of(r, "image");
                      record_t2i_adapter(b, adapter, image.h, image.w);
                    },
                    {{{"image", {1, adapter.unshuffle, adapter.unshuffle, adapter.image_channels}}}, {}, {}},
                    compute};
  return {{"features", std::move(features)}};
}

std::map<std::string, PlanKind> vae_plans(const VaeConfig& vae, Compute compute) {
  const int64_t factor = vae.factor();
  PlanKind encode{[vae](Builder& b, const RecordRequest& r) {
                    const Shape& image = shape_of(r, "image");
                    record_vae_encode(b, vae, image.n, image.h, image.w);
                  },
                  {{{"image", {1, factor, factor, vae.image_channels}}}, {}, {}}};
  PlanKind decode{[vae](Builder& b, const RecordRequest& r) {
                    const Shape& z = shape_of(r, "z");
                    record_vae_decode(b, vae, z.n, z.h, z.w);
                  },
                  {{{"z", {1, 1, 1, vae.latent_channels}}}, {}, {}},
                  compute};
  PlanKind posterior{[vae](Builder& b, const RecordRequest& r) {
                       const Shape& moments = shape_of(r, "moments");
                       record_vae_posterior(b, vae, moments.n, moments.h, moments.w);
                     },
                     {{{"moments", {1, 1, 1, 2 * vae.latent_channels}}}, {}, {}}};
  return {{"encode", std::move(encode)}, {"decode", std::move(decode)}, {"posterior", std::move(posterior)}};
}

std::map<std::string, PlanKind> tiny_autoencoder_plans(const TinyAutoencoderConfig& tiny, Compute compute) {
  constexpr int64_t kFactor = TinyAutoencoderConfig::kFactor;
  std::map<std::string, PlanKind> plans;
  if (tiny.encodes)
    plans["encode"] = {[tiny](Builder& b, const RecordRequest& r) {
                         const Shape& image = shape_of(r, "image");
                         record_tiny_encode(b, tiny, image.n, image.h, image.w);
                       },
                       {{{"image", {1, kFactor, kFactor, tiny.image_channels}}}, {}, {}},
                       compute};
  if (tiny.decodes)
    plans["decode"] = {[tiny](Builder& b, const RecordRequest& r) {
                         const Shape& z = shape_of(r, "z");
                         record_tiny_decode(b, tiny, z.n, z.h, z.w);
                       },
                       {{{"z", {1, 1, 1, tiny.latent_channels}}}, {}, {}},
                       compute};
  return plans;
}

std::map<std::string, PlanKind> clip_text_plans(const ClipTextConfig& clip, Compute compute) {
  PlanKind hidden{[clip](Builder& b, const RecordRequest& r) {
                    const Shape& ids = shape_of(r, "ids");
                    record_clip_text(b, clip, ids.n, ids.tokens(),
                                     {static_cast<int>(number(r, "skip", 0)),
                                      number(r, "final_norm", 1) != 0,
                                      number(r, "pooled", 0) != 0,
                                      number(r, "vectors", 0) != 0,
                                      {number(r, "hidden_first", 0), number(r, "hidden_count", 0)}});
                  },
                  {{{"ids", {1, 1, 1, 1}}}, {{"pooled", clip.projection > 0 ? 1.0 : 0.0}}, {}},
                  compute};
  return {{"hidden", std::move(hidden)}};
}

std::map<std::string, PlanKind> clip_vision_plans(const ClipVisionConfig& clip, Compute compute) {
  const RecordRequest smallest{{{"pixels", {1, clip.image, clip.image, clip.channels}}}, {}, {}};
  std::map<std::string, PlanKind> plans;
  plans["hidden"] = {
      [clip](Builder& b, const RecordRequest& r) { record_penultimate(b, clip, shape_of(r, "pixels").n); }, smallest,
      compute};
  if (clip.projection > 0)
    plans["image_embeds"] = {
        [clip](Builder& b, const RecordRequest& r) { record_image_embeds(b, clip, shape_of(r, "pixels").n); }, smallest,
        compute};
  return plans;
}

std::map<std::string, PlanKind> adapter_plans(const AdapterInfo& adapter, const UNetConfig& unet) {
  PlanKind projector{[adapter](Builder& b, const RecordRequest& r) {
                       ProjectorInput in;
                       in.n = number(r, "n", 1);
                       in.faces = number(r, "faces", 1);
                       in.tokens = number(r, "tokens", 1);
                       in.shortcut = number(r, "shortcut", 1) != 0;
                       record_projector(b, adapter.projector, in, "image_proj");
                     },
                     {}};
  PlanKind image_kv{[adapter, unet](Builder& b, const RecordRequest& r) {
                      const Shape& tokens = shape_of(r, "tokens");
                      record_image_kv(b, unet, adapter, tokens.n, tokens.tokens(),
                                      {r.inputs.contains("value_gain"), r.inputs.contains("site_gains")});
                    },
                    {{{"tokens", {1, 1, 1, adapter.context}}}, {}, {}}};
  return {{"projector", std::move(projector)}, {"image_kv", std::move(image_kv)}};
}

}  // namespace ipa
