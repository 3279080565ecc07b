// The functions of the emulated driver, but for streams (emulated_streams.cpp), modules, launches and graphs
// (emulated_work.cpp).
#include <algorithm>

#include "cuda/driver/emulated_machine.h"

namespace ipa::cuda::driver {
namespace {

struct Named {
  Result result;
  const char *name, *text;
};
constexpr Named kNames[] = {
    {kSuccess, "CUDA_SUCCESS", "no error"},
    {kInvalidValue, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {kOutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {kInvalidDevice, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {kInvalidContext, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {kNoBinaryForGpu, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {kEccUncorrectable, "CUDA_ERROR_ECC_UNCORRECTABLE", "uncorrectable ECC error encountered"},
    {kInvalidHandle, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {kNotFound, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {kNotReady, "CUDA_ERROR_NOT_READY", "device not ready"},
    {kIllegalAddress, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {kLaunchFailed, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {kUnknown, "CUDA_ERROR_UNKNOWN", "unknown error"},
};
const Named* named(Result result) {
  const auto* const found = std::ranges::find(kNames, result, &Named::result);
  return found == std::end(kNames) ? nullptr : found;
}

}  // namespace

namespace calls {

Result init(unsigned) noexcept { return kSuccess; }
Result driver_version(int* version) noexcept { return *version = 13000, kSuccess; }
Result error_name(Result result, const char** text) noexcept {
  const Named* const found = named(result);
  return *text = found ? found->name : nullptr, found ? kSuccess : kInvalidValue;
}
Result error_text(Result result, const char** text) noexcept {
  const Named* const found = named(result);
  *text = found ? found->text : nullptr;
  // The context's own words for what lost it, where there are any.
  const std::shared_ptr<ContextOf> machine = current_machine();
  const auto lock = machine ? std::unique_lock(machine->mutex) : std::unique_lock<std::mutex>();
  if (machine && machine->sticky == result && !machine->sticky_text.empty()) *text = machine->sticky_text.c_str();
  return *text ? kSuccess : kInvalidValue;
}

Result device_count(int* count) noexcept { return *count = machine_slots(), kSuccess; }
Result device_get(DeviceNumber* device, int ordinal) noexcept {
  return *device = ordinal, machine_at(ordinal) ? kSuccess : kInvalidDevice;
}
Result device_name(char* text, int bytes, DeviceNumber device) noexcept {
  return on_device(device, [&](ContextOf& machine) {
    if (bytes < 1) return kInvalidValue;
    text[machine.settings.name.copy(text, static_cast<size_t>(bytes) - 1)] = '\0';
    return kSuccess;
  });
}
Result device_attribute(int* value, Attribute attribute, DeviceNumber device) noexcept {
  return on_device(device, [&](ContextOf& machine) {
    const int capability = machine.settings.capability;
    const std::pair<Attribute, int> values[] = {{kMaxSharedPerBlock, 48 * 1024},
                                                {kMultiprocessors, 4},
                                                {kL2Bytes, 4 << 20},
                                                {kCapabilityMajor, capability / 10},
                                                {kCapabilityMinor, capability % 10},
                                                {kMaxSharedPerBlockOptin, most_shared(capability)}};
    for (const auto& [known, its] : values)
      if (known == attribute) return *value = its, kSuccess;
    return kInvalidValue;
  });
}
Result device_total_memory(size_t* bytes, DeviceNumber device) noexcept {
  return on_device(device, [&](ContextOf& machine) { return *bytes = machine.memory.limit(), kSuccess; });
}

Result context_retain(ContextHandle* context, DeviceNumber device) noexcept {
  return on_device(device, [&](ContextOf& machine) { return ++machine.references, *context = &machine, kSuccess; });
}
// Of a lost device too.
Result context_release(DeviceNumber device) noexcept {
  return guarded([&] {
    const std::shared_ptr<ContextOf> machine = machine_at(device);
    if (!machine) return kInvalidDevice;
    const std::lock_guard lock(machine->mutex);
    if (machine->references == 0) return kInvalidContext;
    if (--machine->references == 0) machine->close();
    return kSuccess;
  });
}
Result context_set_current(ContextHandle context) noexcept {
  return guarded([&] { return make_current(context); });
}

Result memory_allocate(Address* to, size_t bytes) noexcept {
  return in_context([&](ContextOf& machine) {
    const Result result = machine.begin_allocation();
    return result ? result : machine.memory.allocate(bytes, *to);
  });
}
Result memory_free(Address at) noexcept {
  return in_context([&](ContextOf& machine) {
    const Result result = machine.finish_all();  // as the driver waits for work that may use it
    return result ? result : machine.memory.free(at, machine.complaints);
  });
}
Result memory_info(size_t* free, size_t* total) noexcept {
  return in_context([&](ContextOf& machine) {
    *total = machine.memory.limit(), *free = *total - machine.memory.live();
    return kSuccess;
  });
}
Result pinned_allocate(void** to, size_t bytes, unsigned) noexcept {
  return in_context([&](ContextOf& machine) {
    if (const Result result = machine.begin_allocation()) return result;
    auto memory = std::make_unique<std::byte[]>(bytes);
    *to = memory.get();
    machine.pinned.emplace(*to, ContextOf::PinnedBlock{std::move(memory), bytes});
    return kSuccess;
  });
}
Result pinned_free(void* at) noexcept {
  return in_context([&](ContextOf& machine) {
    const Result result = machine.finish_all();
    return result ? result : machine.pinned.erase(at) ? kSuccess : kInvalidValue;
  });
}

}  // namespace calls
}  // namespace ipa::cuda::driver
