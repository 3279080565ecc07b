#include "golden/to_onnx.h"

#include <cmath>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "golden/compare.h"
#include "runtime/recorders.h"
#include "to_onnx/writer.h"
#include "weights/synthetic.h"

namespace ipa::golden {

namespace {

using test::GoldenModel;

// A plan of a network of test/golden/models.
struct Case {
  std::string name, model, plan;
  RecordRequest request;
};

RecordRequest step(const Shape& x, bool rows_differ, std::vector<ImagePrompt> prompts) {
  Conditioning c;
  c.batch = x.n, c.time_rows = rows_differ ? x.n : 1;
  c.image_prompts = std::move(prompts);
  return {{{"x", x}}, step_numbers(c), {}};
}

std::vector<Case> cases() {
  const std::map<std::string, double> last = {{"skip", 0}, {"final_norm", 1}, {"pooled", 1}},
                                      earlier = {{"skip", 1}, {"final_norm", 0}, {"pooled", 1}};
  return {
      {"SD1.5 UNet", "unet15", "step", step({2, 16, 16, 4}, false, {})},
      {"SD1.5 UNet, odd sides, two image prompts", "unet15", "step",
       step({2, 20, 12, 4}, false, {{4, false}, {16, true}})},
      {"SDXL UNet", "unetxl", "step", step({2, 16, 16, 4}, true, {})},
      {"SDXL UNet, an image prompt with a mask", "unetxl", "step", step({1, 16, 16, 4}, true, {{4, true}})},
      {"VAE decoder", "vae", "decode", {{{"z", {2, 8, 6, 4}}}, {}, {}}},
      {"CLIP text", "text", "hidden", {{{"ids", {3, 1, 77, 1}}}, last, {}}},
      {"CLIP text of SDXL, 20 tokens", "text2", "hidden", {{{"ids", {2, 1, 20, 1}}}, earlier, {}}},
  };
}

std::map<std::string, PlanKind> plans_of(const Case& c, const GoldenModel& model) {
  if (c.plan == "step") return unet_plans(detect_unet(model.index, model.config));
  if (c.plan == "decode") return vae_plans(detect_vae(model.index, model.config));
  return clip_text_plans(detect_clip_text(model.index, model.config));
}

// Signals; tokens and their places are whole numbers below `limit`. A scale of 0 leaves a term out.
std::vector<float> input(const std::string& name, const Shape& s, int64_t vocabulary, int64_t tokens) {
  std::vector<float> values = synthetic_signal(name, static_cast<size_t>(s.size()));
  if (name == "scales") values[0] = 0;
  const int64_t limit = name == "ids" ? vocabulary : name == "end" ? tokens : 0;
  if (limit > 0)
    for (float& v : values) v = static_cast<float>(static_cast<int64_t>(std::abs(v) * 1e6f) % limit);
  return values;
}

void write(test::Machine& naive, const GoldenModel& model, const Plan& plan, const std::filesystem::path& folder) {
  int64_t vocabulary = 0, tokens = 0;
  for (const Node& node : plan.nodes)
    if (const auto* op = std::get_if<Embed>(&node.op)) {
      vocabulary = plan.weights[static_cast<size_t>(op->table)].dims[0];
      tokens = plan.values[static_cast<size_t>(op->ids)].shape.tokens();
    }
  test::Tensors in;
  for (const auto& [name, id] : plan.inputs)
    in[name] = input(name, plan.values[static_cast<size_t>(id)].shape, vocabulary, tokens);
  const test::Tensors out = test::run_as_it_is(naive, plan, in, weights(model));
  to_onnx::write_plan(folder, plan, weights(model), in, out);
}

}  // namespace

void networks_to_onnx(const std::filesystem::path& out) {
  test::Machine naive(cpu::level("naive"));
  int number = 0;
  for (const Case& c : cases()) {
    const GoldenModel model(c.model);
    Builder b;
    plans_of(c, model).at(c.plan).record(b, c.request);
    const Plan recorded = b.finish();
    for (const auto& [form, plan] : {std::pair{"recorded", recorded}, std::pair{"folded", fold(recorded)}}) {
      const std::filesystem::path folder = out / std::to_string(number++);
      write(naive, model, plan, folder);
      std::cout << c.name << '\t' << form << '\t' << folder.string() << std::endl;
    }
  }
}

}  // namespace ipa::golden
