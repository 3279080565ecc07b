// The device over the emulated driver: memory, copies, launches by name, texts of errors.
#include "cuda/driver/device.h"

#include <algorithm>
#include <cstring>
#include <thread>
#include <vector>

#include "cuda/kernels/layer_norm.h"
#include "cuda/kernels/product.h"
#include "device_checks.h"
#include "plain_product.h"
#include "tensors.h"
#include "test.h"

namespace ipa::cuda::driver {
namespace {

TEST("cuda device: what it says about itself") {
  EmulatedSettings settings;
  settings.name = "trial", settings.capability = 120, settings.memory_bytes = 1000;
  const EmulatedDevice card(settings);
  Device device = device_of(card);
  const Properties& its = device.properties();
  EXPECT_EQ(its.name, "trial");
  EXPECT_EQ(its.capability, 120);
  EXPECT_EQ(its.total_bytes, size_t{1000});
  EXPECT_EQ(its.shared_bytes, size_t{99 * 1024});
  EXPECT_EQ(its.driver, 13000);
  EXPECT(its.multiprocessors > 0 && its.l2_bytes > 0);
  const Memory memory = device.allocate(600, "a trial");
  EXPECT_EQ(device.memory_info().free, size_t{400});
  EXPECT_EQ(device.memory_info().total, size_t{1000});
}

TEST("cuda device: memory begins as NaN, comes back, goes with its owner") {
  const EmulatedDevice card;
  {
    Device device = device_of(card);
    Memory memory = device.allocate(5000, "a trial");
    EXPECT_EQ(memory.at() % 256, 0u);
    std::vector<std::byte> bytes(5000);
    device.download(bytes.data(), memory.at(), bytes.size());
    EXPECT(std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0xff}; }));

    std::vector<uint32_t> numbers(1000), back(1000);
    for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<uint32_t>(i * i);
    device.upload(memory.at(), numbers.data(), 4000);
    const Memory other = device.allocate(4000, "a copy");
    device.copy(other.at(), memory.at(), 4000);
    device.fill(other.at(40), 7, 3);
    device.download(back.data(), other.at(), 4000);
    for (size_t i = 10; i < 13; ++i) numbers[i] = 7;
    EXPECT(numbers == back);

    const Pinned pinned = device.allocate_pinned(4000, "a copy");
    EXPECT_EQ(pinned.bytes(), size_t{4000});
    device.download(pinned.data(), other.at(), 4000);
    EXPECT_EQ(std::memcmp(pinned.data(), numbers.data(), 4000), 0);
    memory = device.allocate(8, "in its place");
    EXPECT_EQ(card.live_bytes(), size_t{4008});
    EXPECT_EQ(card.peak_bytes(), size_t{9008});
  }
  expect_clean(card);
}

TEST("cuda device: memory may outlive its device and go in another thread") {
  const EmulatedDevice card;
  Memory memory;
  {
    Device device = device_of(card);
    memory = device.allocate(100, "a trial");
  }
  EXPECT_EQ(card.live_bytes(), size_t{100});
  std::thread([&] { memory = {}; }).join();
  expect_clean(card);
}

TEST("cuda device: no room says what for, how much is needed and how much is free") {
  EmulatedSettings settings;
  settings.memory_bytes = 1 << 20;
  const EmulatedDevice card(settings);
  Device device = device_of(card);
  const Memory memory = device.allocate(1000000, "weights");
  const Error error = thrown([&] { (void)device.allocate(50000, "the arena of SDXL"); });
  expect_text(error, Code::DEVICE_OUT_OF_MEMORY,
              "\"emulated device\" has no room: 50000 bytes for the arena of SDXL are needed, 48576 are free of "
              "1048576");
  EXPECT_EQ(detail(error, "needed"), "50000");
  EXPECT_EQ(detail(error, "free"), "48576");
  EXPECT_EQ(detail(error, "for"), "the arena of SDXL");
  EXPECT(!device.lost());
  EXPECT_EQ(device.allocate(48576, "what is left").bytes(), size_t{48576});
}

TEST("cuda device: refused copies and launches say what was asked") {
  const EmulatedDevice card;
  Device device = device_of(card);
  const Memory memory = device.allocate(100, "a trial");
  std::vector<std::byte> bytes(200);
  expect_text(thrown([&] { device.upload(memory.at(), bytes.data(), 101); }), Code::INTERNAL,
              "cuMemcpyHtoDAsync failed: CUDA_ERROR_INVALID_VALUE (1, invalid argument); 101 bytes from the host");
  expect_text(thrown([&] { device.download(bytes.data(), memory.at(1), 100); }), Code::INTERNAL, "100 bytes to the");
  expect_text(thrown([&] { device.copy(memory.at(), memory.at(50), 51); }), Code::INTERNAL, "51 bytes on the device");
  expect_text(thrown([&] { device.fill(memory.at(4), 0, 25); }), Code::INTERNAL, "25 words filled");

  const Kernel kernel = device.kernel("layer_norm_f32_320");
  const Error error = thrown([&] { device.launch(kernel, {0}, LayerNormArguments{}); });
  expect_text(error, Code::INTERNAL,
              "cuLaunchKernel failed: CUDA_ERROR_INVALID_VALUE (1, invalid argument); kernel \"layer_norm_f32_320\", "
              "grid (0,1,1) of 128 threads, 0 bytes of shared memory");
  EXPECT_EQ(detail(error, "kernel"), "layer_norm_f32_320");
  EXPECT_EQ(detail(error, "call"), "cuLaunchKernel");
  EXPECT_EQ(detail(error, "result"), "1");
  expect_text(thrown([&] { device.launch(kernel, {1}, ProductArguments{}); }), Code::INTERNAL,
              "\"layer_norm_f32_320\" got the arguments of another");
  expect_text(thrown([&] { (void)device.kernel("nothing"); }), Code::INTERNAL, "there is no kernel \"nothing\"");
  EXPECT_EQ(device.launches(), 0u);
  EXPECT(!device.lost());
}

TEST("cuda device: a card too old, and one that is not there") {
  EmulatedSettings settings;
  settings.capability = 70;
  const EmulatedDevice card(settings);
  expect_text(thrown([&] { (void)device_of(card); }), Code::DEVICE_UNSUPPORTED, "compute capability 7.0");
  expect_text(thrown([&] { Device none(emulated_table(), card.ordinal() + 1); }), Code::DEVICE_NONE,
              "there is no CUDA device");
  expect_clean(card);
}

// ---- launches: by name on the device, and as templates on the emulator ----

template <typename T>
Memory uploaded(Device& device, const Tensor<T>& tensor) {
  Memory memory = device.allocate(tensor.bytes().size(), "an input");
  device.upload(memory.at(), tensor.data(), memory.bytes());
  return memory;
}

template <typename Operand, typename Out, typename Tile>
void expect_product(Device& device, const std::string& tile, uint64_t seed) {
  constexpr int m = 130, n = 70, k = 72;
  std::mt19937_64 random(seed);
  Tensor<Operand> a(m * k), w(n * k);
  Tensor<float> bias(n);
  fill(a, random, 1), fill(w, random, 0.1f), fill(bias, random, 1);
  Tensor<Out> expected(m * n);
  emulator::Launch given;
  given.kernel = "product", given.threads = Tile::kThreads, given.shared_bytes = Tile::kSharedBytes;
  given.grid = {(n + Tile::kN - 1) / Tile::kN, (m + Tile::kM - 1) / Tile::kM};
  emulator::launch(given, product<Operand, Out, Tile>,
                   plain_product(a.data(), w.data(), bias.data(), expected.data(), m, n, k));

  const std::string name = std::string("product_") + kName<Operand> + "_" + kName<Out> + "_" + tile;
  const Memory on_a = uploaded(device, a), on_w = uploaded(device, w), on_bias = uploaded(device, bias);
  const Memory c = device.allocate(expected.bytes().size(), "C");
  device.launch(device.kernel(name), {given.grid.x, given.grid.y},
                plain_product(on_a.as<void>(), on_w.as<void>(), on_bias.as<float>(), c.as<void>(), m, n, k));
  const std::vector<std::byte> found = bytes_of(device, c);
  if (std::memcmp(found.data(), expected.data(), found.size()) != 0)
    test::failed(__FILE__, __LINE__,
                 name + " gives other bits than the template, IPA_TEST_SEED=" + std::to_string(seed));
}

template <typename Operand, typename Out>
void expect_products(Device& device, uint64_t seed) {
  expect_product<Operand, Out, Tile128x128>(device, "128x128", seed);
  expect_product<Operand, Out, Tile128x64>(device, "128x64", seed);
  expect_product<Operand, Out, Tile64x64>(device, "64x64", seed);
}

TEST("cuda device: products by name are those of the templates") {
  EmulatedSettings settings;
  settings.check_launches = true;
  const EmulatedDevice card(settings);
  const uint64_t seed = fresh_seed();
  {
    Device device = device_of(card);
    expect_products<Half, Half>(device, seed), expect_products<Half, float>(device, seed + 1);
    expect_products<BFloat, BFloat>(device, seed + 2), expect_products<BFloat, float>(device, seed + 3);
    EXPECT_EQ(device.launches(), 12u);
  }
  expect_clean(card);
}

template <typename Out, int kPerLane>
void expect_layer_norm(Device& device, uint64_t seed) {
  constexpr int rows = 5, columns = kPerLane * 32 - 3;
  std::mt19937_64 random(seed);
  Tensor<float> x(rows * columns), gamma(columns), beta(columns);
  fill(x, random, 2, 1), fill(gamma, random, 1), fill(beta, random, 1);
  Tensor<Out> expected(x.size());
  emulator::Launch given;
  given.kernel = "layer_norm", given.threads = kLayerNormThreads, given.grid = {2};
  emulator::launch(given, layer_norm<Out, kPerLane>,
                   LayerNormArguments{x.data(), gamma.data(), beta.data(), expected.data(), rows, columns, 1e-5f});

  const std::string name = std::string("layer_norm_") + kName<Out> + "_" + std::to_string(kPerLane * 32);
  const Memory on_x = uploaded(device, x), on_gamma = uploaded(device, gamma), on_beta = uploaded(device, beta);
  const Memory y = device.allocate(expected.bytes().size(), "y");
  device.launch(device.kernel(name), {2},
                LayerNormArguments{on_x.as<float>(), on_gamma.as<float>(), on_beta.as<float>(), y.as<void>(), rows,
                                   columns, 1e-5f});
  const std::vector<std::byte> found = bytes_of(device, y);
  if (std::memcmp(found.data(), expected.data(), found.size()) != 0)
    test::failed(__FILE__, __LINE__,
                 name + " gives other bits than the template, IPA_TEST_SEED=" + std::to_string(seed));
}

TEST("cuda device: layer norms by name are those of the templates") {
  const EmulatedDevice card;
  const uint64_t seed = fresh_seed();
  Device device = device_of(card);
  expect_layer_norm<Half, 10>(device, seed), expect_layer_norm<Half, 20>(device, seed);
  expect_layer_norm<Half, 40>(device, seed), expect_layer_norm<BFloat, 10>(device, seed);
  expect_layer_norm<BFloat, 20>(device, seed), expect_layer_norm<BFloat, 40>(device, seed);
  expect_layer_norm<float, 10>(device, seed), expect_layer_norm<float, 20>(device, seed);
  expect_layer_norm<float, 40>(device, seed);
}

TEST("cuda device: every kernel of the list is found once and fits a card") {
  const EmulatedDevice card;
  Device device = device_of(card);
  std::vector<std::string> names;
  for (const KernelRow& row : kernel_rows()) {
    EXPECT(device.kernel(row.name).row == &row);
    EXPECT(row.threads % 32 == 0 && row.threads <= 1024 && row.argument_bytes <= 4096);
    if (row.shared_bytes > 99 * 1024) test::failed(__FILE__, __LINE__, std::string(row.name) + " fits no GeForce card");
    names.push_back(row.name);
  }
  std::ranges::sort(names);
  EXPECT(std::ranges::adjacent_find(names) == names.end());
}

}  // namespace
}  // namespace ipa::cuda::driver
