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
  std::string id;     // "cpu", "cuda:0", "emulated"
  std::string level;  // "avx512", "sm_90"
  ThreadPool& pool;   // of the host: it packs weights
  Backend& backend;
  Residency residency = {};
  std::string name = {};  // of a card: "NVIDIA H100 80GB HBM3"
  // Of a card: the CPU beside it, made when it is first needed, and the level that it is made of.
  std::string cpu_level = {};
  std::shared_ptr<Device> cpu = {};
};

// A CPU device of one level ("" takes IPA_CPU or else the best one here) with its own pool; threads 0: IPA_THREADS or
// all that affinity and quota allow. Throws DEVICE_UNSUPPORTED for a level this CPU or this build lacks.
std::shared_ptr<Device> cpu_device(const std::string& level = "", int threads = 0);

// A device of a device library: id "emulated" or "cuda:" and its number, `library` an absolute path. `level` and
// `threads` are those of the CPU beside it. Throws BINARY_NOT_FOUND, BINARY_INCOMPATIBLE, DEVICE_NONE, DRIVER_TOO_OLD,
// DEVICE_UNSUPPORTED.
std::shared_ptr<Device> open_device(const std::string& id, const std::string& library, const std::string& level = "",
                                    int threads = 0);

// Where ONNX graphs run: they have ops that no card has kernels for. The device itself where it is a CPU, else the CPU
// beside it, with a pool of its own.
std::shared_ptr<Device> device_of_graphs(const std::shared_ptr<Device>& device);

// Names of the levels that cpu_device takes here, slowest first; without the naive one, which is for finding faults.
std::vector<std::string> cpu_levels();

}  // namespace ipa
