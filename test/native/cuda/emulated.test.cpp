// The emulated driver itself: what it must refuse or report so that tests over it mean something.
#include "cuda/driver/emulated.h"

#include <cstdint>
#include <vector>

#include "cuda/driver/kernels.h"
#include "cuda/kernels/layer_norm.h"
#include "test.h"

namespace ipa::cuda::driver {
namespace {

const Table& table = emulated_table();

// The context of a device, current in this thread.
struct Current {
  explicit Current(const EmulatedDevice& card) : device(card.ordinal()) {
    EXPECT_EQ(table.context_retain(&context, device), kSuccess);
    EXPECT_EQ(table.context_set_current(context), kSuccess);
  }
  ~Current() { release(); }
  void release() {
    if (context) EXPECT_EQ(table.context_release(device), kSuccess);
    context = nullptr;
  }
  DeviceNumber device;
  ContextHandle context = nullptr;
};

std::byte* host(Address at) { return reinterpret_cast<std::byte*>(static_cast<uintptr_t>(at)); }

TEST("cuda emulated: overwritten zones are reported when memory is freed and at the end") {
  EmulatedDevice card;
  Current current(card);
  Address freed = 0, kept = 0;
  EXPECT_EQ(table.memory_allocate(&freed, 100), kSuccess);
  EXPECT_EQ(table.memory_allocate(&kept, 200), kSuccess);
  host(freed)[100] = std::byte{0};
  host(kept)[-3] = std::byte{0};
  host(kept)[-4000] = std::byte{0};
  EXPECT(card.complaints().empty());
  EXPECT_EQ(table.memory_free(freed), kSuccess);
  EXPECT_EQ(table.memory_free(freed), kInvalidValue);
  current.release();
  const std::vector<std::string> found = card.complaints();
  EXPECT_EQ(found.size(), size_t{3});
  if (found.size() != 3) return;
  EXPECT_EQ(found[0], "a block of 100 bytes: overwritten 0 bytes behind its end");
  EXPECT_EQ(found[1], "a block of 200 bytes: overwritten 3 bytes before its start");
  EXPECT_EQ(found[2], "left behind: 1 blocks of memory");
}

TEST("cuda emulated: a launch that breaks a zone is named where that is asked for") {
  EmulatedSettings settings;
  settings.check_launches = true;
  EmulatedDevice card(settings);
  Current current(card);
  Address in = 0, out = 0;
  EXPECT_EQ(table.memory_allocate(&in, 8 * 32 * 4), kSuccess);
  EXPECT_EQ(table.memory_allocate(&out, 7 * 32 * 4), kSuccess);  // a row too few
  EXPECT_EQ(table.fill_bytes(in, 0, 8 * 32 * 4, nullptr), kSuccess);
  ModuleHandle module = nullptr;
  FunctionHandle function = nullptr;
  EXPECT_EQ(table.module_load(&module, nullptr), kSuccess);
  EXPECT_EQ(table.module_function(&function, module, "no such kernel"), kNotFound);
  EXPECT_EQ(table.module_function(&function, module, "layer_norm_f32_320"), kSuccess);
  const auto* const x = reinterpret_cast<const float*>(host(in));
  LayerNormArguments arguments{x, x, x, host(out), 8, 32, 1e-5f};
  void* given[] = {&arguments};
  EXPECT_EQ(table.launch(function, 2, 1, 1, kLayerNormThreads, 1, 1, 0, nullptr, given, nullptr), kSuccess);
  const std::vector<std::string> found = card.complaints();
  EXPECT_EQ(found.size(), size_t{1});
  if (!found.empty())
    EXPECT_EQ(found[0], "a block of 896 bytes: overwritten 0 bytes behind its end, by kernel \"layer_norm_f32_320\"");

  // Launches that a card refuses, or should.
  const auto launch = [&](unsigned x_blocks, unsigned y_blocks, unsigned threads, unsigned shared) {
    return table.launch(function, x_blocks, y_blocks, 1, threads, 1, 1, shared, nullptr, given, nullptr);
  };
  EXPECT_EQ(launch(0, 1, kLayerNormThreads, 0), kInvalidValue);
  EXPECT_EQ(launch(1, 65536, kLayerNormThreads, 0), kInvalidValue);
  EXPECT_EQ(launch(1, 1, kLayerNormThreads - 32, 0), kInvalidValue);
  EXPECT_EQ(launch(1, 1, kLayerNormThreads, 48 * 1024 + 1), kInvalidValue);  // nobody asked for them
  EXPECT_EQ(table.function_set_attribute(function, kMaxDynamicShared, 164 * 1024), kInvalidValue);
  EXPECT_EQ(table.function_set_attribute(function, kMaxDynamicShared, 163 * 1024), kSuccess);
  EXPECT_EQ(launch(1, 1, kLayerNormThreads, 48 * 1024 + 1), kSuccess);
  EXPECT_EQ(table.launch(nullptr, 1, 1, 1, 128, 1, 1, 0, nullptr, given, nullptr), kInvalidHandle);
  EXPECT_EQ(table.launch(function, 1, 1, 1, 128, 1, 1, 0, nullptr, nullptr, nullptr), kInvalidValue);
}

TEST("cuda emulated: a graph holds to its dependencies and to nothing else") {
  EmulatedDevice card;
  Current current(card);
  Address at = 0;
  EXPECT_EQ(table.memory_allocate(&at, 4), kSuccess);
  const auto filled = [&](bool chained) {
    GraphHandle graph = nullptr;
    GraphExecHandle exec = nullptr;
    GraphNodeHandle first = nullptr, second = nullptr;
    EXPECT_EQ(table.graph_create(&graph, 0), kSuccess);
    const FillNode one{at, 0, 1, 4, 1, 1}, two{at, 0, 2, 4, 1, 1};
    EXPECT_EQ(table.graph_add_fill(&first, graph, nullptr, 0, &one, current.context), kSuccess);
    EXPECT_EQ(table.graph_add_fill(&second, graph, &first, chained ? 1 : 0, &two, current.context), kSuccess);
    EXPECT_EQ(table.graph_instantiate(&exec, graph, 0), kSuccess);
    EXPECT_EQ(table.graph_destroy(graph), kSuccess);
    EXPECT_EQ(table.graph_launch(exec, nullptr), kSuccess);
    EXPECT_EQ(table.graph_exec_destroy(exec), kSuccess);
    uint32_t word = 0;
    EXPECT_EQ(table.copy_to_host(&word, at, 4, nullptr), kSuccess);
    return word;
  };
  EXPECT_EQ(filled(true), 2u);
  EXPECT_EQ(filled(false), 1u);  // nothing said that the first comes first
}

TEST("cuda emulated: handles and contexts that are none are refused") {
  EmulatedDevice card;
  Address at = 0;
  StreamHandle stream = nullptr;
  EventHandle event = nullptr;
  EXPECT_EQ(table.context_set_current(nullptr), kSuccess);
  EXPECT_EQ(table.memory_allocate(&at, 4), kInvalidContext);
  EXPECT_EQ(table.context_release(card.ordinal()), kInvalidContext);
  Current current(card);
  EXPECT_EQ(table.stream_create(&stream, kStreamNonBlocking), kSuccess);
  EXPECT_EQ(table.event_create(&event, 0), kSuccess);
  EXPECT_EQ(table.event_record(event, stream), kSuccess);
  EXPECT_EQ(table.stream_wait_event(stream, event, 0), kSuccess);
  EXPECT_EQ(table.stream_query(stream), kSuccess);
  EXPECT_EQ(table.event_destroy(event), kSuccess);
  EXPECT_EQ(table.stream_wait_event(stream, event, 0), kInvalidHandle);
  EXPECT_EQ(table.stream_destroy(stream), kSuccess);
  EXPECT_EQ(table.stream_synchronize(stream), kInvalidHandle);
  EXPECT_EQ(table.memory_allocate(&at, 0), kInvalidValue);
  EXPECT_EQ(table.memory_free(0), kSuccess);
  EXPECT_EQ(table.memory_free(12345), kInvalidValue);
  ContextHandle gone = nullptr;
  DeviceNumber device = -1;
  {
    const EmulatedDevice other;
    EXPECT_EQ(table.context_retain(&gone, other.ordinal()), kSuccess);
    device = other.ordinal();
  }
  EXPECT_EQ(table.context_set_current(gone), kInvalidContext);
  EXPECT_EQ(table.context_release(device), kInvalidDevice);
  EXPECT_EQ(table.device_get(&device, device), kInvalidDevice);
}

TEST("cuda emulated: after a sticky failure every call says so, but for the context's release") {
  EmulatedDevice card;
  Current current(card);
  Address at = 0;
  EXPECT_EQ(table.memory_allocate(&at, 4), kSuccess);
  card.fail_call(card.calls() + 2, kNotReady);
  card.fail_call(card.calls() + 3, kIllegalAddress);
  EXPECT_EQ(table.stream_query(nullptr), kSuccess);
  EXPECT_EQ(table.stream_query(nullptr), kNotReady);
  EXPECT_EQ(table.stream_query(nullptr), kIllegalAddress);
  EXPECT_EQ(table.memory_free(at), kIllegalAddress);
  EXPECT_EQ(table.stream_synchronize(nullptr), kIllegalAddress);
  current.release();
  EXPECT_EQ(card.live_bytes(), size_t{0});
  EXPECT(card.complaints().empty());
}

}  // namespace
}  // namespace ipa::cuda::driver
