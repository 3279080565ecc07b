// Whole networks, run as the engine runs them.
#include <algorithm>
#include <string>

#include "golden/case_tensors.h"
#include "golden/compare.h"
#include "golden/kinds.h"
#include "golden/unet_case.h"
#include "models/clip_text.h"
#include "models/clip_vision.h"
#include "plan/builder.h"
#include "runtime/recorders.h"

namespace ipa::golden {

namespace {

using test::Golden;
using test::GoldenModel;

void check_unet(Level& level, const std::string& name, Verdict& verdict) {
  const Golden g(name);
  UNetCase unet(level, g, GoldenModel(unet_prefix(g)));
  compare(verdict, g, unet.eps({}, {}), unet.computed_with());
}

void check_vae(Level& level, const std::string& name, Verdict& verdict) {
  const Golden g(name);
  const GoldenModel model(g.info["weights"].string);
  const bool decodes = g.has("in/z");
  const Compute with = decodes ? compute_of(level, g) : Compute::f32;  // encode always takes f32
  Network network(level.device, vae_plans(detect_vae(model.index, model.config), with), weights(model), {});
  const std::string name_of = decodes ? "z" : "image";
  compare(verdict, g,
          bare(network.run(decodes ? "decode" : "encode", {{name_of, input(g, name_of)}}, {}, taps(g), StopFlag{},
                           /*check=*/true)),
          with);
}

bool stores(const Golden& g, const std::string& name) { return g.has("out/" + name) || g.has("tap/" + name); }

// Of token states the rows that the case stores.
void compare_rows(Verdict& verdict, const Golden& g, test::Tensors& got, int64_t batch, Compute with) {
  for (auto& [name, values] : got)
    if (stores(g, name)) values = stored_rows(g, (g.has("out/" + name) ? "out/" : "tap/") + name, values, batch);
  compare(verdict, g, got, with);
}

// The engine's form of one hidden state, with the pooled text beside it.
void add_state(test::Tensors& got, Network& network, const Tensors& in, const std::string& as,
               const std::map<std::string, double>& form, const std::string& pooled = "") {
  Tensors inputs = in;
  if (pooled.empty()) inputs.erase("end");
  Tensors result = network.run("hidden", inputs, form, {}, StopFlag{}, /*check=*/true);
  got[as] = result.at("hidden").data;
  if (!pooled.empty()) got[pooled] = result.at("pooled").data;
}

void check_clip_text(Level& level, const std::string& name, Verdict& verdict) {
  const Golden g(name);
  const GoldenModel model(g.info["weights"].string);
  const ClipTextConfig config = detect_clip_text(model.index, model.config);
  const std::vector<float> ids = g["in/ids"].f32();
  const int64_t rows = g["in/ids"].dims[0], tokens = g["in/ids"].dims[1];
  Tensors in = {{"ids", {{rows, 1, tokens, 1}, ids}}, {"end", {{rows, 1, 1, 1}, {}}}};
  for (int64_t row = 0; row < rows; ++row) {
    const auto first = ids.begin() + row * tokens;  // the end token has the largest id; the first one counts
    in["end"].data.push_back(static_cast<float>(std::max_element(first, first + tokens) - first));
  }
  const Compute with = compute_of(level, g);
  Network network(level.device, clip_text_plans(config, with), weights(model), {});
  test::Tensors got;
  add_state(got, network, in, "last", {{"skip", 0}, {"final_norm", 1}, {"pooled", 1}},
            config.projection > 0 ? "text_embeds" : "pooled");
  add_state(got, network, in, "penultimate", {{"skip", 1}, {"final_norm", 0}, {"pooled", 0}});
  add_state(got, network, in, "penultimate_normed", {{"skip", 1}, {"final_norm", 1}, {"pooled", 0}});
  if (stores(g, "embeddings")) {
    Builder b;  // the embeddings alone: a value the engine never asks for
    b.output("embeddings", clip_text(b, config, b.input("ids", {rows, 1, tokens, 1})).states[0]);
    got.merge(test::run(level.machine, b.finish(), bare(in), weights(model), with));
  }
  compare_rows(verdict, g, got, rows, with);
}

void check_clip_vision(Level& level, const std::string& name, Verdict& verdict) {
  const Golden g(name);
  const GoldenModel model(g.info["weights"].string);
  const ClipVisionConfig config = detect_clip_vision(model.index, model.config);
  const Compute with = compute_of(level, g);
  Network network(level.device, clip_vision_plans(config, with), weights(model), {});
  const Tensors in = {{"pixels", input(g, "pixels")}};
  test::Tensors got;
  got["penultimate"] = network.run("hidden", in, {}, {}, StopFlag{}, true).at("hidden").data;
  if (config.projection > 0)
    got["image_embeds"] = network.run("image_embeds", in, {}, {}, StopFlag{}, true).at("image_embeds").data;
  const Shape pixels = in.at("pixels").shape;
  if (stores(g, "last")) {
    Builder b;  // states of the last layer: nobody but a test asks for them
    b.output("last", clip_vision(b, config, b.input("pixels", pixels)).last);
    got.merge(test::run(level.machine, b.finish(), bare(in), weights(model), with));
  }
  compare_rows(verdict, g, got, pixels.n, with);
}

}  // namespace

void add_networks(Kinds& kinds) {
  kinds["network/unet"] = {check_unet};
  kinds["network/vae"] = {check_vae};
  kinds["network/clip-text"] = {check_clip_text};
  kinds["network/clip-vision"] = {check_clip_vision};
}

}  // namespace ipa::golden
