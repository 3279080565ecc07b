#pragma once
// The stop flag of one job: raised by any thread, polled by the kernels' loops.
#include <atomic>

namespace ipa {

class StopFlag {
 public:
  void raise() noexcept { raised_.store(true, std::memory_order_relaxed); }
  bool raised() const noexcept { return raised_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> raised_{false};
};

}  // namespace ipa
