// The weights that recorded plans want are the tensors of the file: name by name, shape by shape, none left over.
#include <initializer_list>
#include <map>
#include <set>
#include <string>

#include "golden_model.h"
#include "models/adapters.h"
#include "models/clip_text.h"
#include "models/clip_vision.h"
#include "models/conditioning.h"
#include "models/image_projection.h"
#include "models/modules.h"
#include "models/unet.h"
#include "models/vae.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

class Wanted {
 public:
  template <typename Record>
  void add(Record record) {
    Builder b;
    record(b);
    for (const WeightWant& want : b.finish().weights) {
      const auto [at, added] = dims_.emplace(want.path, want.dims);
      if (!added && at->second != want.dims) failed(__FILE__, __LINE__, want.path + " is wanted in two shapes");
    }
  }
  // `ignored`: a part of the names in the file that plans do not want.
  void expect_equal_to(const GoldenModel& model, const std::string& ignored = "") const {
    int wrong = 0;
    const auto complain = [&](const std::string& text) {
      if (++wrong <= 5) failed(__FILE__, __LINE__, model.prefix + ": " + text);
    };
    for (const auto& [name, dims] : dims_) {
      const auto at = model.index.find(name);
      if (at == model.index.end())
        complain(name + " is wanted, not in the file");
      else if (at->second.dims != dims)
        complain(name + " is wanted as " + text(dims) + ", is " + text(at->second.dims));
    }
    for (const auto& [name, info] : model.index)
      if (!dims_.contains(name) && (ignored.empty() || name.find(ignored) == std::string::npos))
        complain(name + " is in the file, not wanted");
    EXPECT(!dims_.empty());
  }

 private:
  std::map<std::string, Dims> dims_;
};

void expect_unet(const std::string& prefix) {
  const GoldenModel model(prefix);
  const UNetConfig u = detect_unet(model.index, model.config);
  Conditioning c;
  c.time_rows = c.batch = u.added_conditioning() ? 2 : 1;
  Wanted wanted;
  wanted.add([&](Builder& b) { record_unet(b, u, 13, 9, c); });
  wanted.add([&](Builder& b) { record_text_kv(b, u, 1, 77); });
  wanted.add([&](Builder& b) { record_schedule(b, u, 3, c.batch); });
  wanted.expect_equal_to(model);
}

void expect_vae(const std::string& prefix) {
  const GoldenModel model(prefix);
  const VaeConfig v = detect_vae(model.index, model.config);
  Wanted wanted;
  wanted.add([&](Builder& b) { record_vae_encode(b, v, 1, 45, 51); });
  wanted.add([&](Builder& b) { record_vae_decode(b, v, 1, 5, 7); });
  wanted.expect_equal_to(model);
}

void expect_text(const std::string& prefix) {
  const GoldenModel model(prefix);
  const ClipTextConfig c = detect_clip_text(model.index, model.config);
  Wanted wanted;
  wanted.add([&](Builder& b) { record_clip_text(b, c, 2, 77, {.skip = 0, .final_norm = true, .pooled = true}); });
  wanted.expect_equal_to(model);
}

void expect_vision(const std::string& prefix) {
  const GoldenModel model(prefix);
  const ClipVisionConfig c = detect_clip_vision(model.index, model.config);
  Wanted wanted;
  wanted.add([&](Builder& b) { record_image_embeds(b, c, 1); });
  wanted.expect_equal_to(model);
}

// Names of the folders models/ipa-*: projectors alone.
std::vector<std::string> projector_prefixes() {
  std::vector<std::string> prefixes;
  for (const auto& entry : std::filesystem::directory_iterator(golden_folder() / "models"))
    if (entry.is_directory() && std::filesystem::exists(entry.path() / "image_proj.json"))
      prefixes.push_back(entry.path().filename().string() + "/image_proj");
  return prefixes;
}

// All dimensions small: recording the true sizes costs nothing, but a shape can be followed by eye.
UNetConfig small_unet() { return detect_unet(GoldenModel("unet15").index, GoldenModel("unet15").config); }

}  // namespace

TEST("a UNet's plans want exactly the file's tensors") {
  for (const char* prefix : {"unet15", "unet15-inpaint", "unetxl", "true-unet15", "true-unetxl"}) expect_unet(prefix);
}

TEST("a VAE's plans want exactly the file's tensors") {
  for (const char* prefix : {"vae", "vaexl", "true-vae"}) expect_vae(prefix);
}

TEST("CLIP plans want exactly the file's tensors") {
  for (const char* prefix : {"text", "text2", "textxl1", "true-clip-l", "true-clip-g"}) expect_text(prefix);
  for (const char* prefix : {"vision", "true-vision-h", "true-vision-g"}) expect_vision(prefix);
}

TEST("a part of a network wants only the weights it runs") {
  const GoldenModel model("vision");
  const ClipVisionConfig c = detect_clip_vision(model.index, model.config);
  Builder b;
  record_penultimate(b, c, 1);
  for (const WeightWant& want : b.finish().weights) {
    EXPECT(!want.path.starts_with("vision_model.encoder.layers." + std::to_string(c.layers - 1)));
    EXPECT(want.path.find("post_layernorm") == std::string::npos && want.path != "visual_projection.weight");
  }
}

TEST("an adapter's plans want exactly the file's tensors but its LoRA") {
  for (const char* prefix :
       {"ipa-base15", "ipa-plus15", "ipa-faceid15", "ipa-faceid-plus15", "ipa-basexl", "ipa-plusxl", "ipa-faceidxl"}) {
    const GoldenModel model(prefix), base(std::string(prefix).ends_with("xl") ? "unetxl" : "unet15");
    const UNetConfig u = detect_unet(base.index, base.config);
    const AdapterInfo a = detect_adapter(model.index, prefix);
    check_fit(a, u, prefix);
    Wanted wanted;
    wanted.add([&](Builder& b) { record_projector(b, a.projector, {}, "image_proj"); });
    wanted.add([&](Builder& b) { record_image_kv(b, u, a, 2, std::max(1, a.tokens)); });
    wanted.expect_equal_to(model, "_lora.");
    EXPECT_EQ(a.has_lora(), std::string(prefix).find("faceid") != std::string::npos);
  }
}

TEST("a projector wants exactly the file's tensors") {
  EXPECT(projector_prefixes().size() >= 20);
  for (const std::string& prefix : projector_prefixes()) {
    const GoldenModel model(prefix);
    Wanted wanted;
    wanted.add([&](Builder& b) { record_projector(b, detect_projector(model.index, ""), {.n = 2, .faces = 1}, ""); });
    wanted.expect_equal_to(model);
  }
}

TEST("the step plan holds no time embedding and no text K, V") {
  Builder b;
  Conditioning c;
  c.image_prompts = {{4, false}, {16, true}};
  c.control = true;
  record_unet(b, small_unet(), 8, 8, c);
  const Plan plan = b.finish();
  for (const WeightWant& want : plan.weights) {
    EXPECT(want.path.find("attn2.to_k") == std::string::npos && want.path.find("attn2.to_v") == std::string::npos);
    EXPECT(want.path.find("time_emb") == std::string::npos);
  }
  EXPECT_EQ(plan.values[plan.inputs.at("scales")].shape, (Shape{1, 1, 1, 16 * 2 + 1}));
  EXPECT(plan.inputs.contains("mask1.8x8") && plan.inputs.contains("mask1.1x1") && !plan.inputs.contains("mask0.8x8"));
  EXPECT(plan.inputs.contains("residual.11") && !plan.inputs.contains("residual.12") &&
         plan.inputs.contains("residual.mid"));
}
