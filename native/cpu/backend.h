#pragma once
// The CPU as a backend of plan/backend.h.
#include <string>

#include "cpu/kernels.h"
#include "plan/backend.h"

namespace ipa::cpu {

// What runs plans: kernels and threads. Outlives its Backend and every Program prepared with it; runs one at a time.
struct Device {
  const Level& level;
  ThreadPool& pool;
  std::string name = std::string("cpu:") + level.name;
};

// IPA_KERNEL (environment) is read whenever a plan is prepared: "conv2d:naive,attend:naive" prefers an implementation
// for every op of a kind or, with a node's path before the colon, for one node. It is passed over where it does not
// fit.
Backend make_backend(Device& device);

}  // namespace ipa::cpu
