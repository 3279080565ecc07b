// The one symbol that leaves the library.
#include <algorithm>
#include <cstring>

#include "cuda/backend/backend.h"
#include "cuda/driver/failure.h"
#include "cuda/library/guard.h"
#include "cuda/library/machine.h"

namespace ipa::cuda {

namespace {

struct Opened : OpenedDevice {
  Opened(size_t number, int threads)
      : machine(cuda::machine(threads)),
        device(machine.table, machine.first + static_cast<int>(number), machine.images),
        card(device, "cuda:" + std::to_string(number)) {
    backend = guarded_backend(make_backend(card));
    const driver::Properties& its = device.properties();
    found = {{}, its.capability, its.driver, its.total_bytes};
    std::strncpy(found.name, its.name.c_str(), sizeof found.name - 1);
    capacity = device.memory_info().free;
  }
  Machine machine;
  driver::Device device;
  Card card;
};

// Of a card that may be too old for us: the caller judges.
FoundDevice found_device(const driver::Table& table, int ordinal) {
  const auto asked = [&](const char* name, driver::Result result) {
    if (result) throw driver::failure_of(table, {name, "device " + std::to_string(ordinal)}, result);
  };
  FoundDevice found{};
  driver::DeviceNumber device = 0;
  asked("cuDeviceGet", table.device_get(&device, ordinal));
  asked("cuDeviceGetName", table.device_name(found.name, sizeof found.name, device));
  int major = 0, minor = 0;
  asked("cuDeviceGetAttribute", table.device_attribute(&major, driver::kCapabilityMajor, device));
  asked("cuDeviceGetAttribute", table.device_attribute(&minor, driver::kCapabilityMinor, device));
  found.capability = major * 10 + minor;
  size_t bytes = 0;
  asked("cuDeviceTotalMem", table.device_total_memory(&bytes, device));
  found.memory = bytes;
  asked("cuDriverGetVersion", table.driver_version(&found.driver));
  return found;
}

size_t devices(FoundDevice* found, size_t room) noexcept {
  return guarded([&] {
    const Machine its = machine(1);
    const size_t count = static_cast<size_t>(its.count);
    for (size_t i = 0; i < std::min(count, room); ++i)
      found[i] = found_device(its.table, its.first + static_cast<int>(i));
    return count;
  });
}

const OpenedDevice* open(size_t number, int threads) noexcept {
  return guarded([&]() -> const OpenedDevice* { return new Opened(number, threads); });
}

void close(const OpenedDevice* opened) noexcept { delete static_cast<const Opened*>(opened); }

constexpr DeviceLibrary kLibrary = {
    kLibraryAbi, sizeof(DeviceLibrary), kFingerprint, Backend{}.abi, sizeof(Backend), devices, open,
    close,       last_failure};

}  // namespace

}  // namespace ipa::cuda

#if defined(_WIN32)
#define IPA_EXPORT __declspec(dllexport)
#else
#define IPA_EXPORT __attribute__((visibility("default")))
#endif

extern "C" IPA_EXPORT const ipa::DeviceLibrary* ipa_device_library() { return &ipa::cuda::kLibrary; }
