#include "core/threads.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <system_error>
#include <vector>

#include "core/error.h"
#include "core/system.h"

namespace ipa {
namespace {

// A join by spinning costs 0.25 us, a sleep and a wake some 50; but a spinning thread on a shared core makes the others
// wait for whole time slices (4 ms). So: spin for about as long as two small ops take, then sleep.
constexpr auto kSpin = std::chrono::microseconds(20);

void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Returns when `value` is no longer `old`.
void await_change(const std::atomic<uint32_t>& value, uint32_t old) noexcept {
  const auto until = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 64; ++i) {
      if (value.load(std::memory_order_acquire) != old) return;
      pause();
    }
  } while (std::chrono::steady_clock::now() < until);
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

struct ThreadPool::State {
  // High half: number of the job; low half: parts of it that nobody has begun. One word, so that a thread that wakes
  // late can never take a part of one job for a part of another.
  std::atomic<uint64_t> ticket{0};
  std::atomic<uint32_t> job{0};       // idle threads wait for it to change
  std::atomic<uint32_t> finished{0};  // parts of this job; the caller waits on it
  std::atomic<bool> closing{false};
  uint32_t parts = 0;  // read only by a thread that holds a part, hence while the job cannot end
  const PartRef* part = nullptr;
  std::vector<system::Thread> threads;

  ~State() {
    closing.store(true, std::memory_order_relaxed);
    job.fetch_add(1, std::memory_order_release);
    job.notify_all();
    for (system::Thread& t : threads) t.join();
  }

  // Runs parts of the open job until none is left that nobody has begun.
  void work() noexcept {
    uint64_t seen = ticket.load(std::memory_order_acquire);
    while (static_cast<uint32_t>(seen) > 0) {
      if (!ticket.compare_exchange_weak(seen, seen - 1, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
      const uint32_t all = parts;
      (*part)(static_cast<int>(all - static_cast<uint32_t>(seen)));
      if (finished.fetch_add(1, std::memory_order_acq_rel) + 1 == all) finished.notify_all();
      seen = ticket.load(std::memory_order_acquire);
    }
  }

  void serve() noexcept {
    uint32_t seen = 0;
    while (true) {
      await_change(job, seen);
      seen = job.load(std::memory_order_acquire);
      if (closing.load(std::memory_order_relaxed)) return;
      work();
    }
  }
};

ThreadPool::ThreadPool(int threads) : state_(std::make_unique<State>()) {
  const int others = std::max(threads, 1) - 1;
  state_->threads.reserve(static_cast<size_t>(others));
  try {
    for (int i = 0; i < others; ++i) state_->threads.emplace_back([state = state_.get()] { state->serve(); });
  } catch (const std::system_error&) {
    const std::string started = std::to_string(state_->threads.size() + 1);
    fail(Code::HOST_OUT_OF_MEMORY,
         "the system refused a thread: wanted " + std::to_string(threads) + ", has " + started,
         "set threads to " + started + " or less, or raise the limit on processes (ulimit -u, pids.max)");
  }
}

ThreadPool::~ThreadPool() = default;

int ThreadPool::threads() const noexcept { return static_cast<int>(state_->threads.size()) + 1; }

void ThreadPool::run(int parts, PartRef part) noexcept {
  State& s = *state_;
  if (parts <= 0) return;
  if (parts == 1 || s.threads.empty()) {
    for (int i = 0; i < parts; ++i) part(i);
    return;
  }
  const uint32_t all = static_cast<uint32_t>(parts);
  s.parts = all;
  s.part = &part;
  s.finished.store(0, std::memory_order_relaxed);
  const uint64_t number = (s.ticket.load(std::memory_order_relaxed) >> 32) + 1;
  s.ticket.store(number << 32 | all, std::memory_order_release);
  s.job.fetch_add(1, std::memory_order_release);
  s.job.notify_all();
  s.work();
  for (uint32_t done; (done = s.finished.load(std::memory_order_acquire)) != all;) await_change(s.finished, done);
}

int available_cores() { return system::cores(); }

}  // namespace ipa
