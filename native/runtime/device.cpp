// The one place that chooses a backend: everything else in runtime/ knows plan/backend.h only.
#include "runtime/device.h"

#include <cstdlib>

#include "cpu/backend.h"
#include "cpu/table.h"

namespace ipa {

namespace {

struct CpuDevice {
  CpuDevice(const cpu::Level& level, int threads)
      : pool(threads), cpu{level, pool}, backend(cpu::make_backend(cpu)), device{"cpu", level.name, pool, backend} {}
  ThreadPool pool;
  cpu::Device cpu;
  Backend backend;
  Device device;
};

int default_threads() {
  const char* text = std::getenv("IPA_THREADS");
  const int named = text ? std::atoi(text) : 0;
  return named > 0 ? named : available_cores();
}

}  // namespace

std::shared_ptr<Device> cpu_device(const std::string& level, int threads) {
  const cpu::Level& chosen = level.empty() ? cpu::default_level() : cpu::level(level);
  auto made = std::make_shared<CpuDevice>(chosen, threads > 0 ? threads : default_threads());
  return {made, &made->device};
}

std::vector<std::string> cpu_levels() {
  std::vector<std::string> names;
  for (const cpu::Level* level : cpu::levels())
    if (std::string_view(level->name) != "naive") names.emplace_back(level->name);
  return names;
}

}  // namespace ipa
