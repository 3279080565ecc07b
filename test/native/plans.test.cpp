// The step plans under review: test/plans/*.txt are the folded listings of SD1.5, SDXL and the bundled UNet with 0, 1
// and 2 image prompts, all recorded by unet(). IPA_UPDATE_PLANS=1 writes them anew.
#include <algorithm>
#include <string>
#include <vector>

#include "io/open.h"
#include "listing.h"
#include "models/golden_model.h"
#include "models/unet.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

UNetConfig of_reference(const std::string& name) {
  const GoldenModel model(name);
  return detect_unet(model.index, model.config);
}

UNetConfig of_bundled_model() {
  const std::string folder = IPA_MODELS_DIR "/sketch/pipeline/unet/";
  const TensorSource weights = open_weights(folder + "diffusion_pytorch_model.safetensors");
  return detect_unet(weights.index, facts(test::Json::parse(read_text(folder + "config.json"))));
}

// Under guidance, with one prompt chunk; the first image prompt has 4 tokens, the second 16.
Plan step_plan(const UNetConfig& config, int64_t side, int prompts) {
  Conditioning c;
  c.batch = 2;
  c.time_rows = config.added_conditioning() ? c.batch : 1;
  if (prompts > 0) c.image_prompts.push_back({4, false});
  if (prompts > 1) c.image_prompts.push_back({16, false});
  Builder b;
  record_unet(b, config, side, side, c);
  return fold(b.finish());
}

// K, V of text and image prompts are a request plan's; those of self-attention (attn1) belong here.
void expect_no_request_work(const Plan& plan, const std::string& name) {
  const auto of_request = [](const std::string& path) {
    return path.find("attn2.to_k") != std::string::npos || path.find("attn2.to_v") != std::string::npos ||
           path.find("_ip") != std::string::npos || path.find("ip_adapter") != std::string::npos ||
           path.find("time_emb") != std::string::npos || path.find("add_embedding") != std::string::npos;
  };
  for (const Node& node : plan.nodes)
    if (of_request(node.path)) failed(__FILE__, __LINE__, name + ": the step plan holds " + node.path);
  for (const WeightWant& want : plan.weights)
    if (of_request(want.path)) failed(__FILE__, __LINE__, name + ": the step plan wants " + want.path);
}

// Bytes of the values alive at one op, at most: no arena can be smaller.
int64_t least_arena(const Plan& plan) {
  const auto root = [&](ValueId id) {
    const ValueId alias = plan.values[static_cast<size_t>(id)].alias;
    return alias == kNone ? id : alias;
  };
  const int end = static_cast<int>(plan.nodes.size());
  std::vector<int> first(plan.values.size(), end + 1), last(plan.values.size(), -1);
  for (const auto& [name, id] : plan.inputs) first[static_cast<size_t>(id)] = -1;
  for (int i = 0; i < end; ++i) {
    const Node& node = plan.nodes[static_cast<size_t>(i)];
    first[static_cast<size_t>(node.output)] = last[static_cast<size_t>(node.output)] = i;
    for_each_input(node.op, [&](ValueId id) { last[static_cast<size_t>(root(id))] = i; });
  }
  // Inputs are set once for many runs, outputs read after the run.
  for (const auto& [name, id] : plan.inputs) last[static_cast<size_t>(root(id))] = end;
  for (const auto& [name, id] : plan.outputs) last[static_cast<size_t>(root(id))] = end;
  int64_t most = 0;
  for (int i = 0; i < end; ++i) {
    int64_t sum = 0;
    for (size_t id = 0; id < plan.values.size(); ++id)
      if (first[id] <= i && i <= last[id]) sum += (plan.values[id].shape.size() * 4 + 63) / 64 * 64;
    most = std::max(most, sum);
  }
  return most;
}

void check(const std::string& name, const UNetConfig& config, int64_t side) {
  const Plan plain = step_plan(config, side, 0);
  for (int prompts = 0; prompts <= 2; ++prompts) {
    const Plan plan = step_plan(config, side, prompts);
    const std::string listing = name + "-" + std::to_string(prompts) + "-adapters";
    expect_listing(listing, print(plan));
    expect_no_request_work(plan, listing);
    // The same ops in the same places and the same weights, however many image prompts there are.
    EXPECT_EQ(plan.nodes.size(), plain.nodes.size());
    for (size_t i = 0; i < std::min(plan.nodes.size(), plain.nodes.size()); ++i)
      if (plan.nodes[i].path != plain.nodes[i].path || plan.nodes[i].op.index() != plain.nodes[i].op.index())
        failed(__FILE__, __LINE__,
               listing + ": " + plan.nodes[i].path + " stands where " + plain.nodes[i].path + " was");
    EXPECT_EQ(plan.weights.size(), plain.weights.size());
    // Placing greedily costs next to nothing: at most one percent over what must be alive at once.
    EXPECT(place(plan).bytes >= least_arena(plan));
    EXPECT(place(plan).bytes <= least_arena(plan) * 101 / 100);
  }
}

TEST("plans: the listing of SD1.5 at 512x512") { check("sd15", of_reference("true-unet15"), 64); }
TEST("plans: the listing of SDXL at 1024x1024") { check("sdxl", of_reference("true-unetxl"), 128); }
TEST("plans: the listing of the bundled model at 128x128") { check("sketch", of_bundled_model(), 16); }

}  // namespace
