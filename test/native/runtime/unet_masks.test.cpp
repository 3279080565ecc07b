// Image prompts that act in a part of the picture only, through the engine's own UNetRun.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cpu/table.h"
#include "cuda/card.h"
#include "models/golden_model.h"
#include "runtime/recorders.h"
#include "runtime/unet_run.h"
#include "test.h"
#include "weights/synthetic.h"

namespace {

using namespace ipa;
using namespace ipa::test;

// Odd on every level: 9 x 14, 5 x 7, 3 x 4, 2 x 2.
constexpr Shape kLatents{1, 9, 14, 4};

TensorSource weights(const GoldenModel& m) { return synthetic(m.prefix, m.index, m.factors); }

Tensor signal(const std::string& name, const Shape& shape) {
  return {shape, synthetic_signal(name, static_cast<size_t>(shape.size()))};
}

Tensor same_rows(const Tensor& row, int64_t rows) {
  Tensor all{row.shape, {}};
  all.shape.n = rows;
  for (int64_t i = 0; i < rows; ++i) all.data.insert(all.data.end(), row.data.begin(), row.data.end());
  return all;
}

RegionMask flat(float value, MaskMode mode = MaskMode::linear) {
  return {112, 72, std::vector<float>(112 * 72, value), mode};
}

RegionMask ramp(MaskMode mode) {
  RegionMask mask = flat(0, mode);
  for (size_t i = 0; i < mask.data.size(); ++i) mask.data[i] = static_cast<float>(i % 112) / 111;
  return mask;
}

using Masks = std::vector<std::optional<RegionMask>>;

// A tiny SD1.5 UNet with a base and a Plus adapter.
struct Case {
  Case(std::shared_ptr<Device> device, Compute with)
      : unet("unet15"),
        base("ipa-base15"),
        plus("ipa-plus15"),
        config(detect_unet(unet.index, unet.config)),
        network(device, unet_plans(config, with), weights(unet), {}) {
    for (const GoldenModel* file : {&base, &plus}) {
      const AdapterInfo info = detect_adapter(file->index, file->prefix);
      adapters.push_back(std::make_unique<Network>(device, adapter_plans(info, config), weights(*file), LoadOptions{}));
    }
  }

  UNetRequest request(const Masks& masks, int64_t rows) {
    UNetRequest r;
    r.x = kLatents, r.x.n = rows;
    r.context = same_rows(signal("context", {1, 1, 77, config.context}), rows);
    for (size_t i = 0; i < masks.size(); ++i) {
      const Tensor tokens = signal("tokens" + std::to_string(i), {1, 1, 4, config.context});
      r.prompts.push_back({adapters[i % 2].get(), same_rows(tokens, rows), masks[i]});
    }
    r.timesteps = {601};
    return r;
  }

  std::vector<float> eps(const UNetRequest& r, float scale = 0.7f) {
    UNetRun run(network, config, r, StopFlag{});
    run.set_scales(std::vector<float>(run.cells(), scale));
    run.step().set("x", same_rows(signal("x", kLatents), r.x.n).data);
    run.forward(/*call=*/0, StopFlag{}, /*check=*/true);
    return run.step().get("eps").data;
  }
  std::vector<float> eps(const Masks& masks, float scale = 0.7f) { return eps(request(masks, 1), scale); }

  GoldenModel unet, base, plus;
  UNetConfig config;
  Network network;
  std::vector<std::unique_ptr<Network>> adapters;
};

template <typename F>
void on_every_level(F check) {
  for (const cpu::Level* level : cpu::levels()) {
    const std::shared_ptr<Device> device = cpu_device(level->name, /*threads=*/2);
    Case c(device, device->backend.fastest);
    check(c, std::string(level->name));
  }
}

template <typename F>
void on_the_emulated_device(F check) {
  for (const Compute with : {Compute::f32, Compute::f16}) {
    EmulatedCard card;
    Case c(std::shared_ptr<Device>(new Device{"emulated", "sm_80", card.pool, card.backend}), with);
    check(c, std::string("emulated ") + compute_text(with));
  }
}

void expect_same(const std::vector<float>& got, const std::vector<float>& want, const std::string& what) {
  EXPECT_CLOSE(got, want, 0, what);
}

double difference(const std::vector<float>& a, const std::vector<float>& b) {
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(static_cast<double>(a[i]) - b[i]));
  return most;
}

// White multiplies by 1, black adds 0 times finite numbers: nothing is rounded differently.
void check_white_and_black(Case& c, const std::string& where) {
  const std::vector<float> without = c.eps({std::nullopt, std::nullopt});
  const std::vector<float> first_alone = c.eps({std::nullopt});
  expect_same(c.eps({flat(1), flat(1)}), without, "two white masks on " + where);
  expect_same(c.eps({std::nullopt, flat(1)}), without, "with and without a mask on " + where);
  const std::vector<float> part = c.eps({std::nullopt, ramp(MaskMode::linear)});
  EXPECT(difference(part, without) > 1e-3 && difference(part, first_alone) > 1e-3);
  // The program that had a white mask and a part.
  expect_same(c.eps({std::nullopt, flat(0)}), first_alone, "a black mask on " + where);
  expect_same(c.eps({flat(0), flat(0)}), c.eps({std::nullopt, std::nullopt}, 0), "two black masks on " + where);
}

void check_guided(Case& c, const std::string& where) {
  const std::vector<float> both = c.eps(c.request({ramp(MaskMode::linear), std::nullopt}, 2));
  const auto half = both.begin() + static_cast<std::ptrdiff_t>(both.size() / 2);
  expect_same(std::vector(half, both.end()), std::vector(both.begin(), half), "halves of a batch on " + where);
}

TEST("masks: white is no mask, black is no prompt, to the bit; one program serves one mask after the other") {
  on_every_level([](Case& c, const std::string& where) {
    check_white_and_black(c, where);
    expect_same(c.eps({flat(0), flat(0)}), c.eps(Masks{}), "two black masks, no prompt, on " + where);
  });
}

// Without a prompt the text's attention is another kernel there, whose 16-bit operands are rounded elsewhere: black is
// held to a scale of 0.
TEST("masks: white and black on the emulated device") { on_the_emulated_device(check_white_and_black); }

TEST("masks: both halves of a guided batch have the same") {
  on_every_level(check_guided);
  on_the_emulated_device(check_guided);
}

TEST("masks: every mode acts, each by its own rule") {
  Case c(cpu_device("", 2), Compute::f32);
  const std::vector<float> linear = c.eps({ramp(MaskMode::linear)});
  const std::vector<float> diffusers = c.eps({ramp(MaskMode::diffusers)});
  const std::vector<float> comfy = c.eps({ramp(MaskMode::comfy)});
  EXPECT(difference(linear, diffusers) > 1e-3 && difference(diffusers, comfy) > 1e-3);
  EXPECT(difference(linear, comfy) > 1e-4);  // two of the four grids are taken for 2 x 6 and 1 x 4
}

TEST("masks: one that does not hold what its sides say is refused, and the UNet goes on") {
  Case c(cpu_device("", 2), Compute::f32);
  const std::vector<float> before = c.eps({flat(1)});
  RegionMask short_of_one = flat(1);
  short_of_one.data.pop_back();
  EXPECT_CODE(c.eps({short_of_one}), Code::OPTION_RANGE);
  expect_same(c.eps({flat(1)}), before, "after an error");
}

}  // namespace
