// What a step plan can do beyond the cases of the golden runner: residuals, features, gains.
#include <string>
#include <utility>
#include <vector>

#include "golden_model.h"
#include "models/adapters.h"
#include "models/conditioning.h"
#include "models/image_projection.h"
#include "models/unet.h"
#include "runner.h"
#include "weights/synthetic.h"

namespace {

using namespace ipa;
using namespace ipa::test;

TensorSource weights(const GoldenModel& m) { return synthetic(m.prefix, m.index, m.factors); }

template <typename Record>
Plan recorded(const std::set<std::string, std::less<>>& taps, Record record) {
  Builder b(taps);
  record(b);
  return b.finish();
}

void merge(Tensors& into, Tensors from) { into.merge(from); }

// ---- UNet ----

struct UNetCase {
  const Golden& g;
  const GoldenModel& model;
  UNetConfig u;
  Conditioning c;
  Tensors in;  // of the step plan; image prompts are added by the caller

  UNetCase(Machine& m, const Golden& g, const GoldenModel& model)
      : g(g), model(model), u(detect_unet(model.index, model.config)) {
    const Dims x = g["in/x"].dims;
    c.batch = x[0];
    c.text_tokens = g["in/context"].dims[1];
    c.time_rows = u.added_conditioning() ? c.batch : 1;
    c.sites = static_cast<int>(attention_sites(u).size());
    in["x"] = nhwc(g["in/x"]);
    prepare(m);
  }
  void prepare(Machine& m) {
    Tensors request{{"context", g["in/context"].f32()}};
    merge(in, run(m, recorded({}, [&](Builder& b) { record_text_kv(b, u, c.batch, c.text_tokens); }), request,
                  weights(model)));
    Tensors schedule{{"timesteps", {static_cast<float>(g.info["timestep"].number)}}};
    if (u.added_conditioning()) {
      schedule["pooled"] = g[g.has("in/pooled") ? "in/pooled" : "in/text_embeds"].f32();
      schedule["time_ids"] = g["in/time_ids"].f32();
    }
    const Plan plan = recorded(taps(g), [&](Builder& b) { record_schedule(b, u, 1, c.time_rows); });
    merge(in, run(m, plan, schedule, weights(model)));
  }
  // Step plan; the schedule's taps are among the results.
  Tensors eps(Machine& m) const {
    const Dims x = g["in/x"].dims;
    const Plan plan = recorded(taps(g), [&](Builder& b) { record_unet(b, u, x[2], x[3], c); });
    Tensors out = run(m, plan, in, weights(model));
    for (const char* tap : {"time_embedding", "add_embedding"})
      if (in.contains(tap)) out[tap] = in.at(tap);
    return out;
  }
};

std::vector<float> repeated(const std::vector<float>& x, int64_t times) {
  std::vector<float> all;
  for (int64_t i = 0; i < times; ++i) all.insert(all.end(), x.begin(), x.end());
  return all;
}

// The UNet with the residuals that the reference's ControlNet gave (`from`; already scaled).
void check_control(Machine& m, const Golden& g, const Golden& from) {
  const GoldenModel model(g.info["weights"]["unet"].string);
  UNetCase unet(m, g, model);
  unet.c.control = true;
  for (const auto& [key, tensor] : from.tensors)
    if (key.starts_with("out/residual.")) unet.in[key.substr(4)] = nhwc(tensor);
  unet.in["scales"] = {1};
  expect_golden(m, g, unet.eps(m), false);
}

// The UNet with the features that the reference's T2I-Adapter gave.
void check_features(Machine& m, const std::string& name) {
  const Golden g(name);
  const GoldenModel model(g.info["weights"]["unet"].string);
  UNetCase unet(m, g, model);
  unet.c.features = unet.u.depth();
  for (int i = 0; i < unet.c.features; ++i)
    unet.in["feature." + std::to_string(i)] = repeated(nhwc(g["out/feature." + std::to_string(i)]), unet.c.batch);
  unet.in["scales"] = {static_cast<float>(g.info["scale"].number)};
  expect_golden(m, g, unet.eps(m), false);
}

// ---- adapters ----

// Tokens of adapter `a` from the case's embeds [N, images, ..]: the images' tokens follow each other.
std::vector<float> image_tokens(Machine& m, const Golden& g, const GoldenModel& model, const AdapterInfo& a,
                                int number) {
  const GoldenTensor& embeds = g["in/embeds." + std::to_string(number)];
  ProjectorInput in{.n = embeds.dims[0] * embeds.dims[1]};
  if (embeds.dims.size() == 4) in.tokens = embeds.dims[2];
  const Plan plan = recorded({}, [&](Builder& b) { record_projector(b, a.projector, in, "image_proj"); });
  const std::string input = embeds.dims.size() == 4 ? "hidden" : "image_embeds";
  return run(m, plan, {{input, embeds.f32()}}, weights(model)).at("tokens");
}

Tensors adapter_result(Machine& m, const Golden& g) {
  const GoldenModel model(g.info["weights"]["unet"].string);
  UNetCase unet(m, g, model);
  const std::vector<AttentionSite> sites = attention_sites(unet.u);
  const std::vector<Json>& names = g.info["weights"]["adapters"].array;
  for (size_t i = 0; i < names.size(); ++i) {
    const GoldenModel file(names[i].string);
    const AdapterInfo a = detect_adapter(file.index);
    check_fit(a, unet.u);
    const std::vector<float> tokens = image_tokens(m, g, file, a, static_cast<int>(i));
    const int64_t count = static_cast<int64_t>(tokens.size()) / unet.c.batch / a.context;
    unet.c.image_prompts.push_back({static_cast<int>(count), false});
    const Plan plan = recorded({}, [&](Builder& b) { record_image_kv(b, unet.u, a, unet.c.batch, count); });
    for (auto& [name, values] : run(m, plan, {{"tokens", tokens}}, weights(file))) {
      std::string input = name;  // "<site>.image_k" -> "<site>.image0_k"
      input.insert(input.rfind('_'), std::to_string(i));
      unet.in[input] = values;
    }
  }
  std::vector<float>& scales = unet.in["scales"];
  for (const AttentionSite& site : sites)
    for (size_t i = 0; i < names.size(); ++i)
      scales.push_back(static_cast<float>(g.info["scale_per_layer"][site.path][i].number));
  return unet.eps(m);
}

void check_all(const std::vector<std::string>& names, void (*check)(Machine&, const std::string&)) {
  EXPECT(!names.empty());
  on_every_level([&](Machine& m) {
    for (const std::string& name : names) check(m, name);
  });
}

}  // namespace

TEST("ControlNet residuals enter the UNet where the reference adds them") {
  on_every_level([](Machine& m) {
    check_control(m, Golden("networks/unet15-with-controlnet"), Golden("networks/controlnet15"));
    check_control(m, Golden("networks/unet15-with-controlnet-scaled"), Golden("networks/controlnet15-scaled"));
    check_control(m, Golden("networks/controlnetxl"), Golden("networks/controlnetxl"));
  });
}

TEST("T2I-Adapter features enter the UNet where the reference adds them") {
  check_all({"networks/t2i-full", "networks/t2i-light"}, check_features);
}

TEST("scale 0 is no adapter, bit for bit") {
  on_every_level([](Machine& m) {
    for (const std::string unet : {"unet15", "unetxl"})
      EXPECT(adapter_result(m, Golden("adapters/" + unet + "-scale0")).at("eps") ==
             adapter_result(m, Golden("adapters/" + unet + "-none")).at("eps"));
  });
}

TEST("gains multiply image K and V as the weight modes ask") {
  const GoldenModel file("ipa-base15"), base("unet15");
  const UNetConfig u = detect_unet(base.index, base.config);
  const AdapterInfo a = detect_adapter(file.index);
  const std::vector<AttentionSite> sites = attention_sites(u);
  const int tokens = 3;
  Machine m(*cpu::levels().back());
  Tensors in{{"tokens", synthetic_signal("tokens", static_cast<size_t>(2 * tokens * a.context))}};
  const Tensors plain =
      run(m, recorded({}, [&](Builder& b) { record_image_kv(b, u, a, 2, tokens); }), in, weights(file));
  in["value_gain"] = {0, -0.5f, 1};
  for (size_t s = 0; s < sites.size(); ++s)
    for (const float gain : {-0.2f, 0.5f, 0.01f * static_cast<float>(s + 1)}) in["site_gains"].push_back(gain);
  const Plan plan =
      recorded({}, [&](Builder& b) { record_image_kv(b, u, a, 2, tokens, {.token_gains = true, .site_gains = true}); });
  const Tensors got = run(m, plan, in, weights(file));
  for (size_t s = 0; s < sites.size(); ++s) {
    std::vector<float> k = plain.at(sites[s].path + ".image_k"), v = plain.at(sites[s].path + ".image_v");
    const size_t width = static_cast<size_t>(sites[s].width);
    for (float& x : k) x *= 0.8f;
    for (size_t i = 0; i < v.size(); ++i) v[i] *= 1 + in["value_gain"][i / width % tokens];
    const std::vector<float> weighted = v;
    for (size_t i = 0; i < v.size(); ++i) {
      const size_t first = i / (tokens * width) * tokens * width + i % width;  // token 0 of this sample and channel
      float mean = 0;
      for (size_t t = 0; t < tokens; ++t) mean += weighted[first + t * width] / tokens;
      v[i] = 1.5f * weighted[i] + 0.01f * static_cast<float>(s + 1) * mean;
    }
    EXPECT_CLOSE(got.at(sites[s].path + ".image_k"), k, 1e-6, sites[s].path + " k");
    EXPECT_CLOSE(got.at(sites[s].path + ".image_v"), v, 1e-6, sites[s].path + " v");
  }
}
