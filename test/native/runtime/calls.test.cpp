// Calls of a run that do less than all: what is left out, and that nothing else changes.
#include "runtime/calls.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "sampling.h"

namespace {

using namespace ipa;
using namespace ipa::test;

// A guided run of one text.
SampleRequest guided(const SmallUNet& c, int steps) {
  const Condition text = c.condition("a cat"), other = c.condition("blurry");
  SampleRequest r = sampling(steps);
  r.context = text.context, r.negative_context = other.context;
  r.pooled = text.pooled, r.negative_pooled = other.pooled;
  r.time_ids = text.time_ids, r.negative_time_ids = other.time_ids;
  return r;
}

SampleRequest unguided(SampleRequest r) {
  r.negative_context = r.negative_pooled = {};
  r.negative_time_ids = {};
  return r;
}

std::vector<float> drawn(SmallUNet& c, const SampleRequest& r) {
  return sample(c.network, c.config, r, {}, StopFlag{}).data;
}

// The steps [first, end) of a run alone, from the latents of those before.
SampleRequest part(SampleRequest r, size_t first, size_t end, const std::vector<float>& latents) {
  r.rows.assign(r.rows.begin() + static_cast<std::ptrdiff_t>(first), r.rows.begin() + static_cast<std::ptrdiff_t>(end));
  if (first == 0) return r;
  r.init.image.mean = {kLatents, latents};
  r.init.first = {/*signal=*/1, /*noise=*/0};
  return r;
}

TEST("outside the window of guidance a step is that of a run without guidance, to the byte") {
  for (const char* name : {"unet15", "unetxl"}) {
    SmallUNet c(name);
    SampleRequest r = guided(c, 3);
    r.guidance_window = {1, 0, 1};
    const std::vector<float> first = drawn(c, part(guided(c, 3), 0, 1, {}));
    const std::vector<float> second = drawn(c, part(unguided(guided(c, 3)), 1, 2, first));
    EXPECT_CLOSE(drawn(c, r), drawn(c, part(guided(c, 3), 2, 3, second)), 0, name);
    r.guidance_window = {0, 0, 0};
    EXPECT_CLOSE(drawn(c, r), drawn(c, unguided(guided(c, 3))), 0, name + std::string(", in no step"));
    r.guidance_window = {1, 1, 1};
    EXPECT_CLOSE(drawn(c, r), drawn(c, guided(c, 3)), 0, name + std::string(", in every step"));
  }
}

TEST("a control acts inside and outside the window of guidance, whatever rows it is for") {
  SmallUNet c("unet15");
  Steering steering;
  for (const bool conditional_only : {false, true}) {
    const std::string mode = conditional_only ? "the conditional row" : "all rows";
    SampleRequest r = steering.with(guided(c, 2), conditional_only);
    const std::vector<float> first = drawn(c, part(r, 0, 1, {}));
    const std::vector<float> want = drawn(c, part(steering.with(unguided(guided(c, 2)), false), 1, 2, first));
    r.guidance_window = {1, 0};
    EXPECT_CLOSE(drawn(c, r), want, 0, mode);
    SampleRequest bare = guided(c, 2);
    bare.guidance_window = {1, 0};
    EXPECT(drawn(c, bare) != want);
  }
}

TEST("texts that are summed are averaged outside the window of guidance, those of positive weight") {
  SmallUNet c("unet15");
  const Condition negative = c.condition("blurry"), cat = c.condition("a cat"), dog = c.condition("a dog");
  const std::vector<float> alone = drawn(c, unguided(guided(c, 2)));
  SampleRequest r = sampling(2);
  r.guidance_window = {0, 0};
  r.texts = {{negative, cat}, {{0, 1, 1}, {0, 1, 1}}, {1.5, 0.5}};
  EXPECT_CLOSE(drawn(c, r), alone, 1e-5, "one text twice");  // rounded after each of the two
  r.texts = {{negative, cat, dog}, {{0, 1, 2}, {0, 1, 2}}, {2, -0.5}};
  EXPECT_CLOSE(drawn(c, r), alone, 0, "one of negative weight");
  const Half half = positive_half(r);
  EXPECT(half.rows == std::vector<size_t>{1} && half.weights == std::vector<double>{1});
  r.texts = {{negative, cat, dog}, {{0, 2, 1}, {0, 1, 2}}, {3, 1}};
  EXPECT(drawn(c, r) != alone);
}

TEST("more programs than a network keeps stay for a run that needs them all") {
  SmallUNet c("unetxl");
  SampleRequest r = guided(c, 3);
  r.guidance_window = {1, 0, 1};
  const std::vector<float> want = drawn(c, r);
  for (int64_t side = 5; side < 8; ++side) {  // programs of other sizes
    SampleRequest other = guided(c, 1);
    other.height = side;
    drawn(c, other);
  }
  EXPECT_CLOSE(drawn(c, r), want, 0, "again");
}

// "gs" is a guided shallow call, "-w" one of the positive rows through the whole network.
std::string said(const SampleRequest& r) {
  std::string text;
  for (const Way& way : ways_of(r)) text += std::string(way.guided ? "g" : "-") + (way.shallow ? "s " : "w ");
  return text;
}

TEST("deep features are reused between whole steps, the first, the last and those that need other rows being whole") {
  SmallUNet c("unet15");
  SampleRequest r = guided(c, 6);
  EXPECT_EQ(said(r), "gw gw gw gw gw gw ");
  r.reuse_every = 2;
  EXPECT_EQ(said(r), "gw gs gw gs gw gw ");
  r.reuse_every = 10;
  EXPECT_EQ(said(r), "gw gs gs gs gs gw ");
  r.guidance_window = {1, 1, 0, 0, 0, 0};
  EXPECT_EQ(said(r), "gw gs -s -s -s -w ");
  r.guidance_window = {0, 0, 1, 1, 0, 0};
  EXPECT_EQ(said(r), "-w -s gw gs -s -w ");
  EXPECT_EQ(said(unguided(r)), "-w -s -s -s -s -w ");
  r = guided(c, 4);  // two calls a step
  r.reuse_every = 2;
  for (const size_t at : {3, 2, 1, 0}) r.rows.insert(r.rows.begin() + static_cast<std::ptrdiff_t>(at), r.rows[at]);
  EXPECT_EQ(said(r), "gw gw gs gs gw gw gw gw ");
  r.guidance_window = {0, 1, 1, 1};
  EXPECT_EQ(said(r), "-w -w gw gw gw gw gw gw ");
}

// What the network makes of latents in a call, whole, or from what it kept in another one.
struct Direct {
  Direct(SmallUNet& c, UNetRequest u) : told(std::move(u)), backend(c.network.device().backend) {
    told.keeps = true;
    whole.emplace(c.network, c.config, told, StopFlag{});
    told.shallow = true;
    shallow.emplace(c.network, c.config, told, StopFlag{});
  }
  std::vector<float> run(UNetRun& run, int call, const std::vector<float>& x) {
    run.step().set("x", x);
    run.forward(call, StopFlag{}, /*check=*/true);
    return run.step().get("eps").data;
  }
  void keep() { shallow->step().set("kept", whole->step().get("kept").data); }

  UNetRequest told;
  const Backend& backend;
  std::optional<UNetRun> whole, shallow;
};

TEST("a shallow call from what the same call kept is the whole call, to the byte") {
  for (const char* name : {"unet15", "unetxl"}) {
    SmallUNet c(name);
    UNetRequest u = c.request(2);
    const Condition text = c.condition("a cat"), other = c.condition("blurry");
    u.conditions = {other, text};
    u.choices = {{0, 1}, {1, 0}, {0, 1}};
    Direct direct(c, u);
    const std::vector<float> x = stacked({signal("x", kLatents), signal("y", kLatents)}).data;
    for (int call = 0; call < 3; ++call) {
      const std::vector<float> want = direct.run(*direct.whole, call, x);
      direct.keep();
      EXPECT_CLOSE(direct.run(*direct.shallow, call, x), want, 0, name);
    }
    direct.run(*direct.whole, 0, x);
    direct.keep();
    EXPECT(direct.run(*direct.shallow, 2, x) != direct.run(*direct.whole, 2, x));
  }
}

TEST("image prompts keep the numbers of their scales in a shallow call") {
  SmallUNet c("unet15");
  const GoldenModel file("ipa-base15");
  Network adapter(cpu_device(cpu::levels()[0]->name, /*threads=*/2),
                  adapter_plans(detect_adapter(file.index, file.prefix), c.config),
                  synthetic(file.prefix, file.index, file.factors), {});
  UNetRequest u = c.request(1);
  u.context = c.condition("a cat").context;
  for (const char* name : {"tokens", "others"})
    u.prompts.push_back({&adapter, signal(name, {1, 1, 4, c.config.context})});
  Direct direct(c, u);
  std::vector<float> scales(direct.whole->cells() * 3);
  for (size_t i = 0; i < scales.size(); ++i) scales[i] = 0.1f * static_cast<float>(i + 1);
  for (UNetRun* run : {&*direct.whole, &*direct.shallow}) run->set_scales(scales);
  const std::vector<float> x = signal("x", kLatents).data, want = direct.run(*direct.whole, 1, x);
  direct.keep();
  EXPECT_CLOSE(direct.run(*direct.shallow, 1, x), want, 0, "each site its own scales");
  std::reverse(scales.begin(), scales.end());
  direct.shallow->set_scales(scales);
  EXPECT(direct.run(*direct.shallow, 1, x) != want);
}

TEST("a step that reuses features takes its rows of them, and a new step's latents and controls") {
  SmallUNet c("unet15");
  Steering steering;
  SampleRequest r = steering.with(guided(c, 4), false);
  r.reuse_every = 3;
  const auto counted = [&](const SampleRequest& asked) {
    const uint64_t whole = c.network.runs("step"), shallow = c.network.runs("shallow");
    const std::vector<float> got = drawn(c, asked);
    EXPECT_EQ(c.network.runs("step") - whole, 2u);
    EXPECT_EQ(c.network.runs("shallow") - shallow, 2u);
    return got;
  };
  const std::vector<float> all = counted(r);
  EXPECT(all != drawn(c, steering.with(guided(c, 4), false)));
  EXPECT(all != counted([&] {
           SampleRequest bare = guided(c, 4);
           bare.reuse_every = 3;
           return bare;
         }()));
  r.guidance_window = {1, 0, 0, 0};
  const std::vector<float> positive = counted(r);
  // Both rows told the same text: guidance changes nothing, and the positive row's features are the negative one's.
  SampleRequest same = r;
  same.negative_context = same.context;
  const std::vector<float> windowed = counted(same);
  same.guidance_window = {};
  EXPECT_CLOSE(counted(same), windowed, 1e-5, "the same text in both rows");  // u + s (c - u), rounded
  EXPECT(positive != windowed);
}

}  // namespace
