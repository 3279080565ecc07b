#pragma once
// Where plans run: a backend, the thread pool it splits work over, and what both are called.
#include <memory>
#include <string>
#include <vector>

#include "core/threads.h"
#include "plan/backend.h"
#include "runtime/residency.h"

namespace ipa {

struct Device {
  std::string id;     // "cpu"
  std::string level;  // "avx512"
  ThreadPool& pool;
  Backend& backend;
  Residency residency = {};
};

// A CPU device of one level ("" takes IPA_CPU or else the best one here) with its own pool; threads 0: IPA_THREADS or
// all that affinity and quota allow. Throws DEVICE_UNSUPPORTED for a level this CPU or this build lacks.
std::shared_ptr<Device> cpu_device(const std::string& level = "", int threads = 0);

// Names of the levels that cpu_device takes here, slowest first; without the naive one, which is for finding faults.
std::vector<std::string> cpu_levels();

}  // namespace ipa
