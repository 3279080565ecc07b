// Failures of the device, planted at every allocation and at every call: nothing is leaked, a lost device says the same
// at every later call, and everything can still be given back.
#include <cstring>
#include <vector>

#include "cuda/driver/device.h"
#include "cuda/driver/emulated.h"
#include "cuda/kernels/layer_norm.h"
#include "cuda/kernels/product.h"
#include "plain_product.h"
#include "test.h"

namespace ipa::cuda::driver {
namespace {

constexpr int kRows = 8, kColumns = 40;

// A bit of everything. Fields in the order they are made, so that an error leaves any number of them.
void everything(int ordinal) {
  Device device(emulated_table(), ordinal);
  const Memory x = device.allocate(kRows * kColumns * 4, "x"), y = device.allocate(kRows * kColumns * 4, "y");
  const Pinned pinned = device.allocate_pinned(x.bytes(), "x");
  std::memset(pinned.data(), 0, pinned.bytes());
  device.upload(x.at(), pinned.data(), x.bytes());
  Event start(device), end(device);
  const Kernel kernel = device.kernel("layer_norm_f32_320");
  const LayerNormArguments arguments{x.as<float>(), x.as<float>(), x.as<float>(), y.as<void>(), kRows, kColumns, 1e-5f};
  start.record(device);
  device.launch(kernel, {2}, arguments);
  Commands commands;
  commands.launch(kernel, {2}, arguments);
  commands.copy(x.at(), y.at(), y.bytes());
  commands.fill(y.at(), 1, 4);
  Graph graph(device, commands);
  graph.run(device);
  end.record(device);
  (void)end.since(start);
  const Memory late = device.allocate(64, "late");
  device.download(pinned.data(), y.at(), y.bytes());
  device.synchronize();
}

// The error of everything() on a card on which `plant` planted a failure; null when there was none.
template <typename Plant>
std::optional<Error> error_with(EmulatedDevice& card, const Plant& plant) {
  plant(card);
  try {
    everything(card.ordinal());
  } catch (const Error& error) {
    return error;
  }
  return std::nullopt;
}

void expect_empty(const EmulatedDevice& card, const std::string& what) {
  if (card.live_bytes() > 0) test::failed(__FILE__, __LINE__, what + ": memory is left");
  for (const std::string& text : card.complaints()) test::failed(__FILE__, __LINE__, what + ": " + text);
}

TEST("cuda failures: no memory at any one allocation leaks nothing") {
  uint64_t all = 0;
  {
    EmulatedDevice card;
    EXPECT(!error_with(card, [](EmulatedDevice&) {}));
    expect_empty(card, "no failure");
    all = card.allocations();
  }
  EXPECT_EQ(all, 4u);
  for (uint64_t k = 1; k <= all; ++k) {
    EmulatedDevice card;
    const auto error = error_with(card, [&](EmulatedDevice& its) { its.fail_allocation(k); });
    EXPECT(error && (error->code == Code::DEVICE_OUT_OF_MEMORY || error->code == Code::HOST_OUT_OF_MEMORY));
    expect_empty(card, "allocation " + std::to_string(k));
    EXPECT(!error_with(card, [](EmulatedDevice&) {}));  // and the device is as good as before
    expect_empty(card, "after allocation " + std::to_string(k));
  }
}

TEST("cuda failures: memory runs out at any limit") {
  size_t most = 0;
  {
    EmulatedDevice card;
    EXPECT(!error_with(card, [](EmulatedDevice&) {}));
    most = card.peak_bytes();
  }
  for (size_t limit = 1; limit < most; limit += 97) {
    EmulatedSettings settings;
    settings.memory_bytes = limit;
    EmulatedDevice card(settings);
    const auto error = error_with(card, [](EmulatedDevice&) {});
    EXPECT(error && error->code == Code::DEVICE_OUT_OF_MEMORY);
    expect_empty(card, "limit " + std::to_string(limit));
  }
}

TEST("cuda failures: lost at any one call") {
  uint64_t all = 0;
  {
    EmulatedDevice card;
    EXPECT(!error_with(card, [](EmulatedDevice&) {}));
    all = card.calls();
  }
  EXPECT(all > 30);
  uint64_t unseen = 0;
  for (const Result result : {kIllegalAddress, kEccUncorrectable, kLaunchFailed, kUnknown})
    for (uint64_t call = 1; call <= all; ++call) {
      EmulatedDevice card;
      const auto error = error_with(card, [&](EmulatedDevice& its) { its.fail_call(call, result); });
      // Before there is a context the device is merely not available.
      if (!error)
        ++unseen;
      else if (error->code != Code::DEVICE_LOST && error->code != Code::DEVICE_NONE)
        test::failed(__FILE__, __LINE__, "call " + std::to_string(call) + ": " + error->what());
      expect_empty(card, "call " + std::to_string(call));
    }
  // What destructors alone met: every object of everything() is given back by one call.
  EXPECT(unseen > 0 && unseen <= 4u * 10);
}

TEST("cuda failures: refused at any one call") {
  uint64_t all = 0;
  {
    EmulatedDevice card;
    EXPECT(!error_with(card, [](EmulatedDevice&) {}));
    all = card.calls();
  }
  for (const Result result : {kOutOfMemory, kInvalidValue, kNotSupported, kNotReady})
    for (uint64_t call = 1; call <= all; ++call) {
      EmulatedDevice card;
      // Where the driver refuses to take something back, it is left behind and nobody can help it.
      if (error_with(card, [&](EmulatedDevice& its) { its.fail_call(call, result); }))
        expect_empty(card, "call " + std::to_string(call));
      EXPECT_EQ(card.live_bytes(), size_t{0});
    }
}

TEST("cuda failures: a lost device says the same at every call") {
  EmulatedDevice card;
  {
    Device device(emulated_table(), card.ordinal());
    Memory memory = device.allocate(64, "a trial");
    const Kernel kernel = device.kernel("layer_norm_f32_320");
    Commands commands;
    commands.fill(memory.at(), 0, 16);
    Graph graph(device, commands);
    Event event(device);
    card.fail_call(card.calls() + 1, kIllegalAddress);
    std::vector<std::string> texts;
    std::byte bytes[64];
    const auto note = [&](const auto& f) {
      try {
        f();
        texts.push_back("no error");
      } catch (const Error& error) {
        texts.push_back(std::string(code_text(error.code)) + ": " + error.what() + " / " + error.hint);
      }
    };
    note([&] { device.synchronize(); });
    EXPECT(device.lost());
    const uint64_t calls = card.calls();
    note([&] { (void)device.allocate(1, "more"); });
    note([&] { (void)device.allocate_pinned(1, "more"); });
    note([&] { (void)device.memory_info(); });
    note([&] { device.upload(memory.at(), bytes, 64); });
    note([&] { device.download(bytes, memory.at(), 64); });
    note([&] { device.copy(memory.at(), memory.at(32), 32); });
    note([&] { device.fill(memory.at(), 1, 1); });
    note([&] { device.launch(kernel, {1}, LayerNormArguments{}); });
    note([&] { (void)device.kernel("layer_norm_f32_640"); });
    note([&] { device.run(commands); });
    note([&] { graph.run(device); });
    note([&] { Graph more(device, commands); });
    note([&] { event.record(device); });
    note([&] { Event more(device); });
    EXPECT_EQ(card.calls(), calls);  // the driver is not asked again
    EXPECT_EQ(texts[0],
              "DEVICE_LOST: the CUDA device is lost: cuStreamSynchronize failed: CUDA_ERROR_ILLEGAL_ADDRESS (700, an "
              "illegal memory access was encountered) / start the process again; if it comes back, look at the "
              "driver's log for Xid");
    for (const std::string& text : texts) EXPECT_EQ(text, texts[0]);
  }
  expect_empty(card, "lost");
}

TEST("cuda failures: a kernel that misuses the card loses it and is named") {
  EmulatedDevice card;
  {
    Device device(emulated_table(), card.ordinal());
    const Memory memory = device.allocate(64 * 64 * 2, "operands");
    const ProductArguments outside =
        plain_product(memory.as<void>(), memory.as<void>(128), nullptr, memory.as<void>(), 64, 64, 64);
    const Kernel kernel = device.kernel("product_f16_f16_64x64");
    try {
      device.launch(kernel, {1, 1}, outside);
      test::failed(__FILE__, __LINE__, "no error");
    } catch (const Error& error) {
      EXPECT(error.code == Code::DEVICE_LOST);
      const std::string text = error.what();
      for (const char* const part : {"cuLaunchKernel failed: CUDA_ERROR_LAUNCH_FAILED (719", "block (0,0,0), thread",
                                     "copy_async: the global address is outside", "grid (1,1,1) of 128 threads"})
        if (text.find(part) == std::string::npos) test::failed(__FILE__, __LINE__, text + " lacks " + part);
      EXPECT(text.size() + error.hint.size() <= 600);
    }
    EXPECT_CODE(device.synchronize(), Code::DEVICE_LOST);
  }
  expect_empty(card, "misuse");
  EXPECT_EQ(card.live_bytes(), size_t{0});
}

TEST("cuda failures: an error that comes later names the last kernel") {
  EmulatedDevice card;
  Device device(emulated_table(), card.ordinal());
  const Memory memory = device.allocate(kRows * kColumns * 4, "x");
  auto* const x = memory.as<float>();
  device.launch(device.kernel("layer_norm_f32_320"), {2}, LayerNormArguments{x, x, x, x, kRows, kColumns, 1e-5f});
  card.fail_call(card.calls() + 1, kIllegalAddress);
  try {
    device.synchronize();
    test::failed(__FILE__, __LINE__, "no error");
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT(text.ends_with("; the last kernel launched was \"layer_norm_f32_320\""));
  }
}

TEST("cuda failures: one device is lost, its neighbour is not") {
  EmulatedDevice first, second;
  EXPECT(first.ordinal() != second.ordinal());
  Device lost(emulated_table(), first.ordinal()), well(emulated_table(), second.ordinal());
  first.fail_call(first.calls() + 1, kEccUncorrectable);
  EXPECT_CODE(lost.synchronize(), Code::DEVICE_LOST);
  well.synchronize();
  EXPECT(lost.lost() && !well.lost());
}

}  // namespace
}  // namespace ipa::cuda::driver
