#pragma once
// Launches a kernel on the CPU: one fiber per thread, blocks spread over a pool. launch() returns what was done, or
// throws an Error (INTERNAL) that names the kernel, the block, the thread and what was wrong.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

#include "core/threads.h"

namespace ipa::cuda::emulator {

// In which order the warps of a block run between two barriers. The card promises none, so tests run all three.
struct Order {
  enum class Kind : uint8_t { forward, reverse, shuffle };
  Kind kind = Kind::forward;
  uint64_t seed = 0;  // of shuffle, which draws a new order at every round
};
Order order_from_text(std::string_view text);  // forward, reverse, shuffle:SEED
Order default_order();                         // IPA_EMULATOR_ORDER, else forward

struct Statistics {
  uint64_t barriers = 0;                    // per block
  uint64_t shuffles = 0;                    // per warp, votes included
  uint64_t matrix_loads = 0, products = 0;  // per warp
  uint64_t copies = 0;                      // asynchronous ones, per thread
  uint64_t switches = 0;                    // of fibers
};

struct Grid {
  uint32_t x = 1, y = 1, z = 1;  // blocks
};

struct Launch {
  std::string_view kernel;  // name, for errors
  Grid grid;
  uint32_t threads = 32;    // of a block, whole warps
  size_t shared_bytes = 0;  // dynamic shared memory of a block
  std::optional<Order> order{};
  ThreadPool* pool = nullptr;  // null: the calling thread runs all blocks
  // Keeps last writer and readers of every word of shared memory, and reports what one warp reads of another's writing,
  // or overwrites of another's reading, without a barrier in between.
  bool shadow = true;
  // Where asynchronous copies may read global memory; empty for anywhere.
  std::span<const std::span<const std::byte>> readable{};
};

// What every thread runs, by reference.
class Body {
 public:
  template <typename F>
  Body(const F& f) noexcept  // NOLINT: implicit on purpose, the callable outlives the launch
      : object_(&f), call_([](const void* object) { (*static_cast<const F*>(object))(); }) {}
  void operator()() const { call_(object_); }

 private:
  const void* object_;
  void (*call_)(const void*);
};

Statistics launch_body(const Launch& launch, Body body);

// Runs launches in place of the emulator, for as long as it is set: so the cases of the tests run on a card too
// (tools/gpu_check). `function` is the kernel's address.
struct Instead {
  void* self;
  void (*run)(void* self, const Launch& launch, const void* function, const void* arguments, size_t bytes);
};
inline const Instead* instead = nullptr;

// A kernel takes one struct of arguments, as the driver passes them.
template <typename Kernel, typename Arguments>
Statistics launch(const Launch& launch, const Kernel& kernel, const Arguments& arguments) {
  static_assert(std::is_trivially_copyable_v<Arguments>, "arguments are copied to the card byte by byte");
  if constexpr (std::is_function_v<std::remove_pointer_t<std::decay_t<Kernel>>>) {
    if (instead) {
      const std::decay_t<Kernel> function = kernel;
      instead->run(instead->self, launch, reinterpret_cast<const void*>(function), &arguments, sizeof arguments);
      return {};
    }
  }
  return launch_body(launch, [&] { kernel(arguments); });
}

}  // namespace ipa::cuda::emulator
