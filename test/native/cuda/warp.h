#pragma once
// Runs a function in the 32 threads of one warp, for tests of single wrappers.
#include <cstddef>

#include "cuda/device/device.h"
#include "cuda/emulator/launch.h"

namespace ipa::cuda {

struct NoArguments {};

template <typename F>
emulator::Statistics run_warp(const F& f, size_t shared_bytes = 0) {
  emulator::Launch launch;
  launch.kernel = "warp", launch.shared_bytes = shared_bytes;
  return emulator::launch(
      launch, [&](NoArguments) { f(lane_index()); }, NoArguments{});
}

}  // namespace ipa::cuda
