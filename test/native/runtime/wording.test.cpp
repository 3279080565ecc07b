// Texts that change with the steps or are summed, through the engine's own UNetRun and step loop.
#include "runtime/wording.h"

#include <string>
#include <vector>

#include "sampling.h"

namespace {

using namespace ipa;
using namespace ipa::test;

TEST("each row of each call reads the text that is chosen for it") {
  for (const char* name : {"unet15", "unetxl"}) {
    SmallUNet c(name);
    const std::vector<Condition> texts = {c.condition("blurry"), c.condition("a cat"), c.condition("a big dog")};
    UNetRequest r = c.request(3);
    r.conditions = texts;
    r.choices = {{0, 1, 2}, {0, 2, 2}, {1, 0, 2}};
    UNetRun run(c.network, c.config, r, StopFlag{});
    for (int call = 0; call < 3; ++call) {
      const std::vector<size_t>& rows = r.choices[static_cast<size_t>(call)];
      const std::vector<float> want = c.told({texts[rows[0]], texts[rows[1]], texts[rows[2]]}, call);
      EXPECT_CLOSE(SmallUNet::eps(run, r, call), want, 0, name + std::string(", call ") + std::to_string(call));
    }
  }
}

TEST("summed texts are u + the sum of w (c - u), and guidance goes on from there") {
  SmallUNet c("unet15");
  const std::vector<Condition> texts = {c.condition("blurry"), c.condition("a cat"), c.condition("a dog")};
  const std::vector<float> eps = c.told(texts, 0);
  const size_t size = static_cast<size_t>(kLatents.size());
  SampleRequest r = sampling(1);
  r.seed = 3;
  r.texts = {texts, {{0, 1, 2}}, {0.7, -0.25}};
  // The same loop without its network: what it adds to the noise is -0.4 times the guided sum.
  UNetRequest u = c.request(3);
  u.conditions = texts, u.choices = {{0, 1, 2}}, u.timesteps = {900};
  UNetRun run(c.network, c.config, u, StopFlag{});
  SampleRequest still = r;
  still.rows[0].updates[0].outputs = {};
  const Tensor noise = sample(c.network, c.config, still, {}, StopFlag{});
  std::vector<float> scaled = noise.data;
  for (float& v : scaled) v *= 0.5f;
  run.step().set("x", stacked(std::vector<Tensor>(3, Tensor{kLatents, scaled})).data);
  run.forward(0, StopFlag{});
  const std::vector<float> out = run.step().get("eps").data;
  std::vector<float> want(size);
  for (size_t i = 0; i < size; ++i) {
    const double nothing = out[i], cat = out[size + i], dog = out[2 * size + i];
    const double sum = nothing + 0.7 * (cat - nothing) - 0.25 * (dog - nothing);
    want[i] = static_cast<float>(noise.data[i] - 0.4 * (nothing + 4 * (sum - nothing)));
  }
  // sums in f64, rounded to f32 after each text
  EXPECT_CLOSE(sample(c.network, c.config, r, {}, StopFlag{}).data, want, 1e-5, "one step");
}

TEST("a run whose texts never change is the run without choices, to the byte") {
  SmallUNet c("unet15");
  const Condition negative = c.condition("blurry"), cat = c.condition("a cat");
  SampleRequest plain = sampling(2), chosen = sampling(2);
  plain.context = cat.context, plain.negative_context = negative.context;
  chosen.texts = {{negative, cat}, {{0, 1}, {0, 1}}, {1}};
  EXPECT_CLOSE(sample(c.network, c.config, chosen, {}, StopFlag{}).data,
               sample(c.network, c.config, plain, {}, StopFlag{}).data, 0, "two steps");
}

TEST("a ControlNet reads what each row of each call is told") {
  SmallUNet c("unet15");
  Steering steering;
  const std::vector<Condition> texts = {c.condition("blurry"), c.condition("a cat"), c.condition("a dog")};
  const auto run = [&](const SampleRequest& r) { return sample(c.network, c.config, r, {}, StopFlag{}); };
  for (const bool conditional_only : {false, true}) {
    const std::string mode = conditional_only ? "the conditional rows" : "all rows";
    SampleRequest plain = sampling(2);
    plain.context = texts[1].context, plain.negative_context = texts[0].context;
    SampleRequest chosen = sampling(2);
    chosen.texts = {texts, {{0, 1}, {0, 1}}, {1}};
    const std::vector<float> steady = run(steering.with(plain, conditional_only)).data;
    EXPECT_CLOSE(run(steering.with(chosen, conditional_only)).data, steady, 0, mode + ": as without choices");
    EXPECT(run(plain).data != steady);

    // rounded after each of the two
    SampleRequest halves = sampling(2);
    halves.texts = {texts, {{0, 1, 1}, {0, 1, 1}}, {0.5, 0.5}};
    EXPECT_CLOSE(run(steering.with(halves, conditional_only)).data, steady, 1e-5, mode + ": halves of one text");

    // Two steps are the first one, and from its latents the second one by itself.
    SampleRequest both = sampling(2);
    both.texts = {texts, {{0, 1, 2}, {1, 2, 0}}, {0.7, 0.4}};
    both = steering.with(both, conditional_only);
    SampleRequest first = both, second = both;
    first.rows.pop_back();
    second.rows.erase(second.rows.begin());
    second.init.image.mean = run(first);
    second.init.first = {/*signal=*/1, /*noise=*/0};
    EXPECT_CLOSE(run(both).data, run(second).data, 0, mode + ": texts that change");
  }
}

}  // namespace
