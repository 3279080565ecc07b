#pragma once
// One block at work: its threads, its shared memory and the scheduler. A thread of the CPU has one Block and runs
// launch after launch with it, so that stacks are made once.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cuda/emulator/calls.h"
#include "cuda/emulator/fiber.h"
#include "cuda/emulator/launch.h"
#include "cuda/emulator/shadow.h"

namespace ipa::cuda::emulator {

inline constexpr uint32_t kLanes = 32;

// What a thread waits for, with its operands, which lie on its stack until the warp has met.
struct Request {
  enum class Kind : uint8_t { none, warp_sync, shuffle, ballot, load_matrix, multiply, barrier, done };
  Kind kind = Kind::none;
  uint8_t variant = 0;   // Shuffle, Number, or whether transposed
  uint8_t size = 0;      // matrices of a load, depth of a product, id of a barrier
  uint32_t operand = 0;  // of a shuffle; threads of a barrier
  uint32_t value = 0;    // in and out of shuffle and ballot
  const void* row = nullptr;
  const uint32_t* a = nullptr;
  const uint32_t* b = nullptr;
  uint32_t* to = nullptr;
  float* d = nullptr;

  // Lanes that meet must agree on this much.
  bool meets(const Request& other) const {
    return kind == other.kind && variant == other.variant && size == other.size &&
           (kind != Kind::barrier || operand == other.operand);
  }
};

class Block;

struct Thread {
  struct Copy {
    void* to;
    const void* from;
    uint32_t size, bytes, group;
  };

  Thread(Block& block, uint32_t index) : block(block), index(index), fiber(&run, this) {}
  [[noreturn]] static void run(void* thread);

  Block& block;
  const uint32_t index;
  Fiber fiber;
  Request request;
  std::vector<Copy> copies;  // on the way, oldest first
  uint32_t group = 0;        // that copies belong to now
};

// What went wrong in a block; its threads are given up where they stand.
struct Misuse {
  uint32_t thread;
  std::string what;
};

class Block {
 public:
  static Block* current() noexcept;  // of this thread of the CPU, while it runs one

  Block() = default;
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;

  // Runs one block to its end. Null, or what was wrong.
  std::unique_ptr<Misuse> run(const Launch& launch, const Order& order, Position index, Body body);

  // From inside a thread:
  void meet() { running->fiber.suspend(); }    // waits until the warp, or the block, has met for running->request
  [[noreturn]] void misuse(std::string what);  // ends the block
  void check_shared(const void* address, size_t bytes, size_t align, const char* who);
  std::byte* shared() noexcept { return shared_.get(); }

  const Launch* launch = nullptr;
  Position index{};
  Thread* running = nullptr;
  Body* body = nullptr;
  Shadow shadow;
  Statistics statistics;

 private:
  friend struct Thread;
  struct Free {
    void operator()(std::byte* memory) const;
  };

  void prepare();
  void arrange();
  void run_warp(uint32_t warp);
  bool run_lanes(uint32_t warp);
  bool meet_lanes(uint32_t warp);
  bool release_barriers();
  void found(uint32_t thread, std::string what);
  uint32_t draw(uint32_t below);  // a random number below

  std::vector<std::unique_ptr<Thread>> threads_;
  std::unique_ptr<std::byte, Free> shared_;
  size_t shared_bytes_ = 0;
  Order order_;
  uint64_t random_ = 0;
  std::vector<uint32_t> warps_;  // in the order of this round
  bool lanes_backwards_ = false;
  std::unique_ptr<Misuse> misuse_;
};

// Carries out what the 32 lanes have met for. `lanes` have agreed. Returns an empty text or what was wrong, with the
// lane in `lane`.
std::string execute(Block& block, Thread* const* lanes, uint32_t& lane);

}  // namespace ipa::cuda::emulator
