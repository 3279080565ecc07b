// A decoder in bands on the emulated device: within a budget that the whole has not, near what the whole gives.
#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "cuda/card.h"
#include "models/vae.h"
#include "runtime/network.h"
#include "runtime/recorders.h"
#include "test.h"
#include "weights/synthetic.h"

namespace {

using namespace ipa;
using namespace ipa::test;

// A card with a decoder on it.
struct Decoder {
  explicit Decoder(Compute compute, cuda::driver::EmulatedSettings settings = {})
      : card(std::make_shared<EmulatedCard>(std::move(settings))) {
    VaeConfig vae;
    vae.widths = {16, 24, 32}, vae.layers = 1, vae.groups = 8;
    const auto plans = vae_plans(vae, compute);
    network = std::make_unique<Network>(std::shared_ptr<Device>(card, &device), plans,
                                        synthetic("bands", index_of(wants_of(plans))), LoadOptions{});
    z.shape = {1, 12, 5, vae.latent_channels};
    z.data = synthetic_signal("z", static_cast<size_t>(z.shape.size()));
  }
  std::vector<float> decode() {
    std::vector<float> image = network->run("decode", {{"z", z}}, {}, {}, StopFlag()).at("image").data;
    EXPECT(card->plugged.complaints().empty());
    return image;
  }

  std::shared_ptr<EmulatedCard> card;
  Device device{"emulated", "sm_80", card->pool, card->backend};
  std::unique_ptr<Network> network;
  Tensor z;
};

TEST("cuda bands: a decoder within budgets that the whole does not keep") {
  for (const auto& [compute, limit] : {std::pair{Compute::f32, 1e-5}, {Compute::f16, 4e-3}, {Compute::bf16, 3e-2}}) {
    Decoder whole(compute);
    const std::vector<float> want = whole.decode();
    const uint64_t all = whole.network->bytes(), values = all - whole.network->store().bytes();
    double most = 1;
    for (const float x : want) most = std::max(most, std::abs(static_cast<double>(x)));
    for (const uint64_t less : {values / 6, values / 4}) {
      Decoder bands(compute);
      bands.device.residency.set_budget(all - less);
      const std::vector<float> got = bands.decode();
      EXPECT(bands.device.residency.bytes() <= all - less);
      EXPECT_CLOSE(got, want, limit * most, std::string(compute_text(compute)) + " in " + std::to_string(all - less));
    }
    Decoder refused(compute);
    refused.device.residency.set_budget(all - values * 9 / 10);
    EXPECT_CODE(refused.decode(), Code::MEMORY_BUDGET);
    refused.device.residency.set_budget(0);
    EXPECT(refused.decode() == want);
  }
}

TEST("cuda bands: where the card itself has no room for the whole") {
  Decoder whole(Compute::f16);
  const std::vector<float> want = whole.decode();
  cuda::driver::EmulatedSettings small;
  const uint64_t values = whole.network->bytes() - whole.network->store().bytes();
  small.memory_bytes = whole.card->plugged.peak_bytes() - values / 5;
  Decoder bands(Compute::f16, small);
  double most = 1;
  for (const float x : want) most = std::max(most, std::abs(static_cast<double>(x)));
  EXPECT_CLOSE(bands.decode(), want, 4e-3 * most, "in less memory");
  Decoder refused(Compute::f16, small);
  for (uint64_t k = 1; k <= 12; ++k) {
    refused.card->plugged.fail_allocation(refused.card->plugged.allocations() + k);
    try {
      refused.network->prepare("decode", {{{"z", refused.z.shape}}, {}, {}});
    } catch (const Error& e) {
      EXPECT(e.code == Code::DEVICE_OUT_OF_MEMORY);
    }
    refused.network->leave();
  }
  EXPECT(refused.decode() == bands.decode());
}

}  // namespace
