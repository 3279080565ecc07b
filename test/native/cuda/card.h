#pragma once
// The CUDA core on the emulated device, as a backend for tests.
#include <memory>
#include <string>

#include "core/threads.h"
#include "cuda/backend/backend.h"
#include "cuda/driver/device.h"
#include "cuda/driver/emulated.h"

namespace ipa::test {

struct EmulatedCard {
  explicit EmulatedCard(cuda::driver::EmulatedSettings settings = {})
      : plugged(with(std::move(settings), pool)),
        device(cuda::driver::emulated_table(), plugged.ordinal()),
        card{device, "emulated"},
        backend(cuda::make_backend(card)) {}

  ThreadPool pool{2};
  cuda::driver::EmulatedDevice plugged;
  cuda::driver::Device device;
  cuda::Card card;
  Backend backend;

 private:
  static cuda::driver::EmulatedSettings with(cuda::driver::EmulatedSettings settings, ThreadPool& pool) {
    settings.pool = &pool;
    return settings;
  }
};

}  // namespace ipa::test
