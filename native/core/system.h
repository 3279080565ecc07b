#pragma once
// What operating systems do differently, as far as core needs it: memory, threads, cores. No other file of core asks
// which system it is.
#include <cstddef>
#include <functional>
#include <memory>

namespace ipa::system {

// Null where the system refuses. `alignment`: a power of two from 64 on, of which `bytes` is a multiple.
void* take_memory(size_t alignment, size_t bytes) noexcept;
void give_memory(void* memory) noexcept;
// Advice only: what is refused costs a few percent.
void advise_huge_pages(void* memory, size_t bytes) noexcept;
// Has pages found and cleared now, by this thread; the largest usual ones that lie in the range whole.
void fill_pages(void* memory, size_t bytes) noexcept;

// Cores that this process may use: its affinity and the quota of its control group considered. At least 1.
int cores();

// A thread with the same stack everywhere: the default is 8 MiB with glibc, 512 KiB on macOS, 128 KiB with musl. To be
// joined before it is destroyed.
class Thread {
 public:
  explicit Thread(std::function<void()> work);  // throws std::system_error
  ~Thread();
  Thread(Thread&& other) noexcept;
  void join() noexcept;  // idempotent

 private:
  struct Started;
  std::unique_ptr<Started> started_;
};

}  // namespace ipa::system
