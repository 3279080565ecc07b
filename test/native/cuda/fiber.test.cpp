// Fibers: they keep their place, begin again, and tell when their stack was too small.
#include "cuda/emulator/fiber.h"

#include <cstdint>
#include <memory>
#include <vector>

#include "test.h"

namespace ipa::cuda::emulator {
namespace {

struct Counter {
  std::unique_ptr<Fiber> fiber;
  double sum = 0;
  int started = 0;
};

TEST("cuda fiber: many take turns, each keeps its numbers, one begins again") {
  std::vector<Counter> counters(50);
  for (size_t i = 0; i < counters.size(); ++i) {
    counters[i].sum = static_cast<double>(i);
    counters[i].fiber = std::make_unique<Fiber>(
        [](void* argument) {
          Counter& self = *static_cast<Counter*>(argument);
          ++self.started;
          const double first = self.sum;
          for (double step = 1;; step *= 0.5) {  // kept in registers or on the stack over the switch
            self.sum += step * first;
            self.fiber->suspend();
          }
        },
        &counters[i]);
  }
  for (int round = 0; round < 10; ++round)
    for (Counter& counter : counters) counter.fiber->resume();
  for (size_t i = 0; i < counters.size(); ++i) EXPECT_EQ(counters[i].sum, static_cast<double>(i) * (1 + 2 - 0x1p-9));
  Counter& again = counters[7];
  again.fiber->restart();
  again.sum = 1;
  again.fiber->resume();
  EXPECT_EQ(again.started, 2);
  EXPECT_EQ(again.sum, 2.0);
  EXPECT(again.fiber->stack_intact());
}

TEST("cuda fiber: a write to the far end of the stack is seen") {
  std::unique_ptr<Fiber> fiber;
  fiber = std::make_unique<Fiber>(
      [](void* argument) {
        Fiber& self = **static_cast<std::unique_ptr<Fiber>*>(argument);
        self.suspend();
        // Word by word from well below this frame, as calls too deep would; the marks end it within the stack.
        uintptr_t at = (reinterpret_cast<uintptr_t>(__builtin_frame_address(0)) & ~uintptr_t{7}) - 16 * 1024;
        for (; self.stack_intact(); at -= 8) *reinterpret_cast<volatile uint64_t*>(at) = 1;
        for (;;) self.suspend();
      },
      &fiber);
  fiber->resume();
  EXPECT(fiber->stack_intact());
  fiber->resume();
  EXPECT(!fiber->stack_intact());
  fiber->restart();
  EXPECT(fiber->stack_intact());
}

}  // namespace
}  // namespace ipa::cuda::emulator
