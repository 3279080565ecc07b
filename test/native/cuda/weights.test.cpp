// Weights in a card's memory: LoRA in and out, leaving for the host and coming back.
#include <optional>

#include "cuda/card.h"
#include "io/open.h"
#include "models/golden_model.h"
#include "models/unet.h"
#include "runtime/recorders.h"
#include "runtime/unet_run.h"
#include "test.h"
#include "weights/lora.h"
#include "weights/names/ip_adapter.h"
#include "weights/synthetic.h"

namespace {

using namespace ipa;
using namespace ipa::test;

struct OnCard {
  explicit OnCard(cuda::driver::EmulatedSettings settings = {}) : emulated(std::move(settings)) {}
  EmulatedCard emulated;
  Device device{"emulated", "sm_80", emulated.pool, emulated.backend};
};

// A tiny UNet in fp16 and an adapter for it.
struct Drawing {
  explicit Drawing(const std::shared_ptr<OnCard>& card, const std::string& name = "unet15")
      : model(name),
        config(detect_unet(model.index, model.config)),
        source(synthetic(name, model.index)),
        unet({card, &card->device}, unet_plans(config, Compute::f16), source, {}) {}

  std::vector<float> eps(std::vector<ImagePromptTokens> prompts) {
    UNetRequest request{{1, 8, 8, config.in_channels}, tensor({1, 1, 7, config.context}), {}, {}, {}, {500.0}, {}};
    request.prompts = std::move(prompts);
    UNetRun run(unet, config, request, stop);
    run.set_scales(std::vector<float>(run.cells(), 0.7f));
    const Tensor x = tensor(request.x);
    const Backend& backend = unet.device().backend;
    backend.write(backend.self, run.x(), x.data.data(), x.data.size() * sizeof(float));
    run.forward(0, stop);
    return run.step().get("eps").data;
  }
  static Tensor tensor(const Shape& shape) {
    Tensor t{shape, std::vector<float>(static_cast<size_t>(shape.size()))};
    for (size_t i = 0; i < t.data.size(); ++i) t.data[i] = static_cast<float>(i % 13) / 7 - 0.9f;
    return t;
  }

  GoldenModel model;
  UNetConfig config;
  TensorSource source;
  StopFlag stop;
  Network unet;
};

TEST("cuda weights: a LoRA merged on a card gives a fresh load's bytes, and leaves none of them behind") {
  const auto card = std::make_shared<OnCard>();
  Drawing drawing(card);
  const LoraNetwork networks[] = {{LoraPart::unet, drawing.source.index}};
  const Lora lora = open_lora(open_weights((golden_folder() / "lora/kohya-locon.file.safetensors").string()), networks);
  const ActiveLora active[] = {{&lora, 0.8f}};
  LoraState state;
  Store& store = drawing.unet.store();
  const uint64_t plain = store.digest();
  const std::vector<float> before = drawing.eps({});
  const size_t rewritten = apply_loras(store, card->device.pool, LoraPart::unet, state, active);
  EXPECT(rewritten > 4);
  const uint64_t merged = store.digest();
  EXPECT(merged != plain);
  EXPECT(drawing.eps({}) != before);

  TensorSource changed = drawing.source;
  changed.read = [&](const std::string& name, uint64_t first, std::span<std::byte> out) {
    if (!state.touched.contains(name)) return drawing.source.read(name, first, out);
    const std::vector<float> values = merged_weight(store, LoraPart::unet, name, active);
    const auto bytes = std::as_bytes(std::span(values)).subspan(first, out.size());
    std::copy(bytes.begin(), bytes.end(), out.begin());
  };
  const Network fresh({card, &card->device}, unet_plans(drawing.config, Compute::f16), changed, {});
  EXPECT_EQ(fresh.store().digest(), merged);

  EXPECT_EQ(apply_loras(store, card->device.pool, LoraPart::unet, state, {}), rewritten);
  EXPECT_EQ(store.digest(), plain);
  EXPECT(drawing.eps({}) == before);
  EXPECT(card->emulated.plugged.complaints().empty());
}

TEST("cuda weights: what projects image tokens to K and V leaves the card before the loop and comes back unchanged") {
  const auto card = std::make_shared<OnCard>();
  Drawing drawing(card);
  const GoldenModel model("ipa-base15");
  const TensorSource source = synthetic(model.prefix, model.index, model.factors);
  const AdapterInfo info = detect_adapter(source.index, source.label);
  Network adapter({card, &card->device}, adapter_plans(info, {drawing.config}), source, {});
  const uint64_t digest = adapter.store().digest();
  const size_t weights = adapter.store().bytes(), before = card->emulated.plugged.live_bytes();
  const Tensor tokens = Drawing::tensor({1, 1, 4, drawing.config.context});
  const std::vector<float> first = drawing.eps({{&adapter, tokens}});
  EXPECT(!adapter.store().present());
  EXPECT_EQ(adapter.bytes(), uint64_t{0});
  EXPECT(drawing.eps({}) != first);
  EXPECT(drawing.eps({{&adapter, tokens}}) == first);
  adapter.come();
  EXPECT_EQ(adapter.store().digest(), digest);
  EXPECT(card->emulated.plugged.live_bytes() >= before);
  EXPECT(adapter.leave());
  EXPECT(!adapter.leave());
  EXPECT(card->emulated.plugged.live_bytes() < before + drawing.unet.bytes() - weights);
  EXPECT(card->emulated.plugged.complaints().empty());
}

TEST("cuda weights: within a budget the longest unused leave, and draw the same when they are back") {
  const auto card = std::make_shared<OnCard>();
  Drawing one(card);
  const std::vector<float> want = one.eps({});
  const uint64_t alone = one.unet.bytes();
  card->device.residency.set_budget(alone * 3 / 2);
  std::optional<Drawing> two(card);
  EXPECT(two->eps({}) == want);
  EXPECT(!one.unet.store().present() && two->unet.store().present());
  EXPECT(card->device.residency.bytes() <= alone * 3 / 2);
  EXPECT(one.eps({}) == want);
  EXPECT(one.unet.store().present() && !two->unet.store().present());
  two.reset();

  const Network::Hold held(one.unet);
  EXPECT_CODE(Drawing(card), Code::MEMORY_BUDGET);
  card->device.residency.set_budget(0);
  EXPECT(one.eps({}) == want);
  EXPECT(card->emulated.plugged.complaints().empty());
}

TEST("cuda weights: where a card has no room the longest unused leave before it is an error") {
  const auto large = std::make_shared<OnCard>();
  Drawing somewhere(large);
  const std::vector<float> want = somewhere.eps({});
  cuda::driver::EmulatedSettings small;
  small.memory_bytes = large->emulated.plugged.peak_bytes() + (256 << 10);
  const auto card = std::make_shared<OnCard>(small);
  Drawing one(card);
  EXPECT(one.eps({}) == want);
  Drawing two(card);
  EXPECT(two.eps({}) == want);
  EXPECT(!one.unet.store().present());
  EXPECT(one.eps({}) == want);
  const Network::Hold held(one.unet);
  EXPECT_CODE(two.eps({}), Code::DEVICE_OUT_OF_MEMORY);
  EXPECT(card->emulated.plugged.complaints().empty());
}

}  // namespace
