#include <algorithm>
#include <cstdlib>

#include "cuda/driver/emulated.h"
#include "cuda/library/machine.h"

namespace ipa::cuda {

namespace {

// Each opening has a device of its own, with the threads of its engine.
struct Plugged {
  explicit Plugged(int threads) : pool(std::max(threads, 1)), device(settings(pool)) {}
  ThreadPool pool;
  driver::EmulatedDevice device;

 private:
  static driver::EmulatedSettings settings(ThreadPool& pool) {
    driver::EmulatedSettings all;
    all.pool = &pool;
    if (const char* const bytes = std::getenv("IPA_EMULATED_MEMORY"); bytes && *bytes)
      all.memory_bytes = std::strtoull(bytes, nullptr, 10);
    return all;
  }
};

}  // namespace

Machine machine(int threads) {
  auto plugged = std::make_shared<Plugged>(threads);
  const int ordinal = plugged->device.ordinal();
  return {driver::emulated_table(), {}, ordinal, 1, std::move(plugged)};
}

}  // namespace ipa::cuda
