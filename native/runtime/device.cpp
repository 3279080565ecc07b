// The one place that chooses a backend: everything else in runtime/ knows plan/backend.h only.
#include "runtime/device.h"

#include <charconv>
#include <cstdlib>

#include "cpu/backend.h"
#include "cpu/table.h"
#include "runtime/device_library.h"

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

// The device goes before the card whose backend it has, and that before its library.
struct CardDevice {
  CardDevice(const std::string& id, const std::string& path, const std::string& cpu_level, int threads)
      : pool(threads), card(OpenLibrary::open(path), number_of(id), threads), device{id, "", pool, card.backend()} {
    const OpenedDevice& opened = card.opened();
    device.level = "sm_" + std::to_string(opened.found.capability);
    device.name = opened.found.name;
    device.cpu_level = cpu_level;
    device.backend.name = device.id.c_str();
    // The rest is for what the driver takes by itself, beside buffers: kernels, graphs.
    device.residency.set_capacity(opened.capacity - opened.capacity / 20);
  }
  ThreadPool pool;
  LibraryDevice card;
  Device device;

 private:
  // "cuda:1" -> 1, "emulated" -> 0
  static size_t number_of(const std::string& id) {
    if (id == "emulated") return 0;
    const std::string_view prefix = "cuda:";
    size_t number = 0;
    const char* const end = id.data() + id.size();
    if (id.starts_with(prefix)) {
      const auto [stop, wrong] = std::from_chars(id.data() + prefix.size(), end, number);
      if (wrong == std::errc() && stop == end && number < 1024) return number;
    }
    fail(Code::OPTION_RANGE, "Expected cpu, emulated or cuda: and a number for device but received " + quoted(id),
         "pass \"cuda:0\" for the first card", {{"option", "device"}, {"found", id}});
  }
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

std::shared_ptr<Device> open_device(const std::string& id, const std::string& library, const std::string& level,
                                    int threads) {
  auto made = std::make_shared<CardDevice>(id, library, level, threads > 0 ? threads : default_threads());
  return {made, &made->device};
}

std::shared_ptr<Device> device_of_graphs(const std::shared_ptr<Device>& device) {
  if (!device->backend.apart) return device;
  if (!device->cpu) device->cpu = cpu_device(device->cpu_level, device->pool.threads());
  return device->cpu;
}

std::vector<std::string> cpu_levels() {
  std::vector<std::string> names;
  for (const cpu::Level* level : cpu::levels())
    if (std::string_view(level->name) != "naive") names.emplace_back(level->name);
  return names;
}

}  // namespace ipa
