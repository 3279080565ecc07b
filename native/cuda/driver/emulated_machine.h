#pragma once
// What the handles of the emulated driver point to. A context is the device: there is one of each.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cuda/driver/emulated.h"
#include "cuda/driver/emulated_memory.h"
#include "cuda/driver/kernels.h"

namespace ipa::cuda::driver {

// Objects by handle: a handle that is none of them is refused, and what was left behind can be counted.
template <typename T>
class Handles {
 public:
  template <typename... Given>
  T* create(Given&&... given) {
    auto object = std::make_unique<T>(std::forward<Given>(given)...);
    T* const handle = object.get();
    objects_.emplace(handle, std::move(object));
    return handle;
  }
  bool holds(T* handle) const { return objects_.contains(handle); }
  template <typename F>
  void each(const F& f) {
    for (auto& [handle, object] : objects_) f(*object);
  }
  Result destroy(T* handle) { return objects_.erase(handle) ? kSuccess : kInvalidHandle; }
  size_t count() const { return objects_.size(); }
  template <typename F>
  bool any(const F& f) const {
    return std::any_of(objects_.begin(), objects_.end(), [&](const auto& entry) { return f(*entry.second); });
  }
  void clear() { objects_.clear(); }

 private:
  std::map<T*, std::unique_ptr<T>> objects_;
};

struct FunctionOf {
  const KernelRow* row;
  int most_shared;  // bytes a launch may ask for
};
struct ModuleOf {
  std::map<std::string, std::unique_ptr<FunctionOf>> functions;
};
using Work = std::function<Result()>;
struct StreamOf {
  bool late;
  std::deque<Work> waiting;
  uint64_t asked = 0, done = 0;
};
struct EventOf {
  std::chrono::steady_clock::time_point time{};
  bool recorded = false;
  StreamHandle stream = nullptr;  // where it was recorded, if that is late
  uint64_t after = 0;             // how much of that stream's work comes before it
};

// A launch with its arguments, as it waits in a graph.
struct RecordedLaunch {
  FunctionHandle function;
  unsigned grid[3], block[3], shared_bytes;
  std::vector<std::byte> arguments;
};
using RecordedWork = std::variant<RecordedLaunch, CopyNode, FillNode>;
struct GraphNodeOf {
  RecordedWork work;
  std::vector<GraphNodeHandle> after;
};
struct GraphOf {
  std::vector<std::unique_ptr<GraphNodeOf>> nodes;
};
struct GraphExecOf {
  std::shared_ptr<const std::vector<RecordedWork>> work;  // in the order it runs; kept by launches that wait
};

struct ContextOf {
  explicit ContextOf(EmulatedSettings given) : settings(std::move(given)), memory(settings.memory_bytes) {}

  const EmulatedSettings settings;
  std::mutex mutex;  // calls come from any thread
  int ordinal = -1;
  int references = 0;  // of the primary context
  EmulatedMemory memory;
  struct PinnedBlock {
    std::unique_ptr<std::byte[]> memory;
    size_t bytes;
  };
  std::map<void*, PinnedBlock> pinned;
  Handles<ModuleOf> modules;
  Handles<StreamOf> streams;
  Handles<EventOf> events;
  Handles<GraphOf> graphs;
  Handles<GraphExecOf> execs;

  uint64_t calls = 0, allocations = 0;
  std::map<uint64_t, Result> failing_calls;
  uint64_t failing_allocation = 0;
  Result sticky = kSuccess;
  std::string sticky_text;
  std::vector<std::string> complaints;

  Result begin_call();  // counts it; what it must fail with, if so
  Result begin_allocation();
  void close();  // the context goes with all that is left in it
  bool owns(FunctionHandle function) const;

  // ---- streams: emulated_streams.cpp ----
  Result ask(StreamHandle stream, Work work);          // now or later
  Result finish(StreamHandle stream, uint64_t count);  // until so much of it is done
  Result finish_all();
  bool is_pinned(const void* at, size_t bytes) const;

  // Work, done at once.
  Result run(const RecordedLaunch& launch);
  Result run(const CopyNode& copy);
  Result run(const FillNode& fill);
};

int most_shared(int capability) noexcept;  // bytes of a block
inline std::byte* memory_at(Address at) { return reinterpret_cast<std::byte*>(static_cast<uintptr_t>(at)); }

// ---- the devices that are plugged in ----
int machine_slots();
std::shared_ptr<ContextOf> machine_at(DeviceNumber device);  // null: none there
Result make_current(ContextHandle context);                  // of this thread
std::shared_ptr<ContextOf> current_machine() noexcept;

// ---- around every call ----
template <typename F>
Result guarded(const F& f) noexcept {
  try {
    return f();
  } catch (const std::bad_alloc&) {
    return kOutOfMemory;
  } catch (...) {
    return kUnknown;
  }
}

// In the current context.
template <typename F>
Result in_context(const F& f) noexcept {
  return guarded([&] {
    const std::shared_ptr<ContextOf> machine = current_machine();
    if (!machine) return kInvalidContext;
    const std::lock_guard lock(machine->mutex);
    if (machine->references == 0) return kInvalidContext;
    if (const Result result = machine->begin_call()) return result;
    return f(*machine);
  });
}

// In one of its streams; null is the default one.
template <typename F>
Result in_stream(StreamHandle stream, const F& f) noexcept {
  return in_context(
      [&](ContextOf& machine) { return stream && !machine.streams.holds(stream) ? kInvalidHandle : f(machine); });
}

template <typename F>
Result on_device(DeviceNumber device, const F& f) noexcept {
  return guarded([&] {
    const std::shared_ptr<ContextOf> machine = machine_at(device);
    if (!machine) return kInvalidDevice;
    const std::lock_guard lock(machine->mutex);
    if (const Result result = machine->begin_call()) return result;
    return f(*machine);
  });
}

// The functions of the table.
namespace calls {
#define IPA_X(name, symbol, parameters) Result name parameters noexcept;
IPA_DRIVER_FUNCTIONS(IPA_X)
#undef IPA_X
}  // namespace calls

}  // namespace ipa::cuda::driver
