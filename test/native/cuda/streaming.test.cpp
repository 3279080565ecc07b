// Weights that come from the host while a program runs: the numbers of weights that are there all the time.
#include <memory>
#include <optional>

#include "block.h"
#include "core/stop.h"
#include "cuda/card.h"
#include "cuda/running.h"
#include "models/golden_model.h"
#include "models/unet.h"
#include "plan/builder.h"
#include "runtime/recorders.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;
using cuda::driver::LateStreams;

// Many layers alike, of which a slot holds two; norms between them stay.
Plan layers() {
  Builder b;
  Value x = b.input("x", {1, 1, 24, 64});
  for (int i = 0; i < 20; ++i) {
    const std::string number = std::to_string(i);
    x = b.add(x, b.linear("layer" + number, b.layer_norm("norm" + number, x), 64));
  }
  b.output("y", x);
  Plan plan = fold(b.finish());
  plan.compute_with(Compute::f16);
  return plan;
}

struct Streaming {
  explicit Streaming(LateStreams late = LateStreams::none, uint64_t resident = 0) : plan(layers()) {
    cuda::driver::EmulatedSettings settings;
    settings.late = late;
    card = std::make_shared<EmulatedCard>(settings);
    store.emplace(card->backend, plan.weights, weights_of(plan));
    std::map<std::string, int64_t, std::less<>> rows;
    for (int i = 0; i < 20; ++i) rows["layer" + std::to_string(i) + ".weight"] = i;
    store->stream(resident, rows);
    store->load(card->pool);
    program = {
        card->backend.prepare(card->backend.self, plan, layout_of(card->backend, plan), store->places(plan).data()),
        card->backend.release};
    const std::vector<float> x = random_inputs(plan).at("x");
    card->backend.write(card->backend.self, card->backend.input(*program, 0), x.data(), x.size() * sizeof(float));
  }
  ~Streaming() { EXPECT(card->plugged.complaints().empty()); }

  std::vector<float> y(bool check = false) {
    EXPECT(card->backend.run(*program, StopFlag(), check) == RunStatus::done);
    std::vector<float> numbers(24 * 64);
    card->backend.read(card->backend.self, card->backend.output(*program, 0), numbers.data(),
                       numbers.size() * sizeof(float));
    return numbers;
  }

  Plan plan;
  std::shared_ptr<EmulatedCard> card;
  std::optional<Store> store;
  std::unique_ptr<Program, void (*)(Program*)> program{nullptr, nullptr};
};

TEST("cuda streaming: the bytes of weights that stay on the card, whichever stream is late") {
  Running resident(layers());
  resident.set(random_inputs(resident.plan));
  resident.run();
  const std::vector<float> want = resident.output("y");
  for (const LateStreams late : {LateStreams::none, LateStreams::first, LateStreams::others}) {
    Streaming streaming(late);
    EXPECT_EQ(streaming.store->streamed_bytes(), uint64_t{20 * 64 * 64 * 2});
    EXPECT(streaming.card->backend.scratch_bytes(*streaming.program) < streaming.store->streamed_bytes());
    for (int run = 0; run < 3; ++run) EXPECT(streaming.y() == want);
    EXPECT(streaming.y(true) == want);
    streaming.card->card.graphs = false;
    EXPECT(streaming.y() == want);
  }
}

TEST("cuda streaming: what is multiplied with the fewest rows stays, and a rewritten weight comes as it is now") {
  Streaming streaming(LateStreams::none, 10 * 64 * 64 * 2);
  Store& store = *streaming.store;
  EXPECT(store.bytes() <= 10 * 64 * 64 * 2);
  const auto streams = [&](int layer) {
    const Place place = store.place("layer" + std::to_string(layer) + ".weight").place;
    return place.buffer == store.place("layer19.weight").place.buffer;
  };
  EXPECT(!streams(0) && !streams(5) && streams(15) && streams(18));

  const std::vector<float> before = streaming.y();
  const uint64_t digest = store.digest();
  for (const char* path : {"layer2.weight", "layer17.weight"}) {
    std::vector<float> weight = store.pristine(path);
    for (float& w : weight) w *= 1.5f;
    store.rewrite(path, weight);
    EXPECT(streaming.y() != before);
    store.rewrite(path, store.pristine(path));
    EXPECT(streaming.y() == before);
  }
  EXPECT_EQ(store.digest(), digest);
}

TEST("cuda streaming: memory that is refused, calls that fail: typed, nothing left behind") {
  uint64_t allocations = 0;
  {
    Streaming streaming;
    allocations = streaming.card->plugged.allocations();
    EXPECT(streaming.card->backend.streaming_seconds(streaming.card->backend.self, 1 << 20) > 0);
  }
  EXPECT(allocations >= 6);
  const auto card = std::make_shared<EmulatedCard>();
  const Plan plan = layers();
  const size_t live = card->plugged.live_bytes();
  const auto run = [&] {
    Store store(card->backend, plan.weights, weights_of(plan));
    store.stream(0, {});
    store.load(card->pool);
    const std::unique_ptr<Program, void (*)(Program*)> program(
        card->backend.prepare(card->backend.self, plan, layout_of(card->backend, plan), store.places(plan).data()),
        card->backend.release);
    EXPECT(card->backend.run(*program, StopFlag(), false) == RunStatus::done);
  };
  run();
  const uint64_t before = card->plugged.allocations();
  run();
  const uint64_t needed = card->plugged.allocations() - before;
  for (uint64_t k = 1; k <= needed; ++k) {
    card->plugged.fail_allocation(card->plugged.allocations() + k);
    try {
      run();
      failed(__FILE__, __LINE__, "allocation " + std::to_string(k) + " was refused, and it ran");
    } catch (const Error& e) {
      EXPECT(e.code == Code::DEVICE_OUT_OF_MEMORY || e.code == Code::HOST_OUT_OF_MEMORY);
    }
    EXPECT_EQ(card->plugged.live_bytes(), live);
  }
  run();
  EXPECT(card->plugged.complaints().empty());
}

TEST("cuda streaming: a UNet larger than the budget draws the same from the host") {
  const GoldenModel model("unet15");
  const UNetConfig config = detect_unet(model.index, model.config);
  const TensorSource source = synthetic(model.prefix, model.index);
  const auto plans = unet_plans(config, Compute::f16);
  const auto eps = [&](uint64_t budget, uint64_t& streamed) {
    const auto card = std::make_shared<EmulatedCard>();
    Device device{"emulated", "sm_80", card->pool, card->backend};
    device.residency.set_budget(budget);
    Network unet({card, &device}, plans, source, {});
    streamed = unet.store().streamed_bytes();
    RecordRequest request = plans.at("step").smallest;
    request.inputs["x"] = {1, 8, 8, config.in_channels};
    Prepared& step = unet.prepare("step", request);
    uint64_t seed = 0;
    for (const auto& [name, id] : step.plan().inputs) {
      std::vector<float> numbers(static_cast<size_t>(step.plan().values[static_cast<size_t>(id)].shape.size()));
      for (float& x : numbers) x = static_cast<float>(++seed % 17) / 9 - 0.8f;
      step.set(name, numbers);
    }
    step.run(StopFlag());
    EXPECT(budget == 0 || device.residency.bytes() <= budget);
    EXPECT(card->plugged.complaints().empty());
    return step.get("eps").data;
  };
  uint64_t streamed = 0;
  const std::vector<float> want = eps(0, streamed);
  EXPECT_EQ(streamed, uint64_t{0});
  Builder b;
  plans.at("step").record(b, *plans.at("step").usual);
  Plan usual = fold(b.finish());
  const uint64_t values = static_cast<uint64_t>(place(usual).bytes) * 5 / 4;
  EXPECT(eps(values + (1 << 20), streamed) == want);
  EXPECT(streamed > 0);
}

}  // namespace
