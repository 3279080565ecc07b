// Graphs and events over the emulated driver.
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "cuda/kernels/layer_norm.h"
#include "cuda/kernels/product.h"
#include "device_checks.h"
#include "plain_product.h"
#include "tensors.h"
#include "test.h"

namespace ipa::cuda::driver {
namespace {

// x is normalised to h, multiplied with itself to c, c copied to y; a word of y is filled.
struct Chain {
  static constexpr int kRows = 64, kColumns = 64;
  Memory x, gamma, h, c, y;
  Commands commands;

  explicit Chain(Device& device)
      : x(device.allocate(kRows * kColumns * 4, "x")),
        gamma(device.allocate(kColumns * 4, "gamma")),
        h(device.allocate(kRows * kColumns * 2, "h")),
        c(device.allocate(kRows * kRows * 4, "c")),
        y(device.allocate(kRows * kRows * 4, "y")) {
    commands.launch(
        device.kernel("layer_norm_f16_320"), {kRows / kLayerNormWarps},
        LayerNormArguments{x.as<float>(), gamma.as<float>(), gamma.as<float>(), h.as<void>(), kRows, kColumns, 1e-5f});
    commands.launch(device.kernel("product_f16_f32_64x64"), {1, 1},
                    plain_product(h.as<void>(), h.as<void>(), nullptr, c.as<void>(), kRows, kRows, kColumns));
    commands.copy(y.at(), c.at(), c.bytes());
    commands.fill(y.at(8), 42, 1);
  }

  void set(Device& device, uint64_t seed) {
    std::mt19937_64 random(seed);
    Tensor<float> numbers(kRows * kColumns), factors(kColumns);
    ipa::cuda::fill(numbers, random, 1), ipa::cuda::fill(factors, random, 1);
    device.upload(x.at(), numbers.data(), x.bytes());
    device.upload(gamma.at(), factors.data(), gamma.bytes());
    for (const Memory* memory : {&h, &c, &y}) device.fill(memory->at(), 0xffffffffu, memory->bytes() / 4);
  }
};

TEST("cuda graph: a replay gives the bits of direct launches, and sees new inputs") {
  const EmulatedDevice card;
  const uint64_t seed = fresh_seed();
  {
    Device device = device_of(card);
    Chain chain(device);
    Graph graph(device, chain.commands);
    std::vector<std::byte> before;
    for (uint64_t round = 0; round < 3; ++round) {
      chain.set(device, seed + round);
      device.run(chain.commands);
      const std::vector<std::byte> direct = bytes_of(device, chain.y);
      chain.set(device, seed + round);
      graph.run(device);
      const std::vector<std::byte> replayed = bytes_of(device, chain.y);
      EXPECT(direct == replayed);
      EXPECT(direct != before);
      float numbers[3];
      std::memcpy(numbers, direct.data(), sizeof numbers);
      EXPECT(std::isfinite(numbers[0]) && std::isfinite(numbers[1]));
      EXPECT_EQ(std::bit_cast<uint32_t>(numbers[2]), 42u);
      before = direct;
    }
    EXPECT_EQ(device.launches(), 3u * 4);
  }
  expect_clean(card);
}

TEST("cuda graph: what the driver refuses to record says what it was") {
  const EmulatedDevice card;
  {
    Device device = device_of(card);
    Commands commands;
    commands.launch(device.kernel("layer_norm_f32_320"), {1, 0}, LayerNormArguments{});
    expect_text(thrown([&] { Graph graph(device, commands); }), Code::INTERNAL,
                "cuGraphAddKernelNode failed: CUDA_ERROR_INVALID_VALUE (1, invalid argument); kernel "
                "\"layer_norm_f32_320\", grid (1,0,1)");
    Graph nothing(device, Commands{});
    nothing.run(device);
  }
  expect_clean(card);
}

TEST("cuda event: time passes") {
  const EmulatedDevice card;
  {
    Device device = device_of(card);
    Event start(device), end(device);
    start.record(device);
    end.record(device);
    EXPECT(end.since(start) >= 0);
    EXPECT_CODE(Event(device).since(start), Code::INTERNAL);  // was never recorded
  }
  expect_clean(card);
}

}  // namespace
}  // namespace ipa::cuda::driver
