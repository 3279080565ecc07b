#include "cuda/driver/emulated.h"

#include <algorithm>

#include "cuda/driver/emulated_machine.h"
#include "cuda/driver/failure.h"

namespace ipa::cuda::driver {
namespace {

// The devices that are plugged in, by ordinal.
struct Registry {
  std::mutex mutex;
  std::vector<std::weak_ptr<ContextOf>> slots;
};
// trap: never destroyed, since an object of another file may use it at the end of the process.
Registry& registry() {
  static Registry& one = *new Registry;
  return one;
}

thread_local std::weak_ptr<ContextOf> current;

}  // namespace

int machine_slots() {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  return static_cast<int>(all.slots.size());
}

std::shared_ptr<ContextOf> machine_at(DeviceNumber device) {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  return device >= 0 && static_cast<size_t>(device) < all.slots.size() ? all.slots[device].lock() : nullptr;
}

Result make_current(ContextHandle context) {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  current.reset();
  for (const std::weak_ptr<ContextOf>& slot : all.slots)
    if (slot.lock().get() == context) current = slot;
  return context && current.expired() ? kInvalidContext : kSuccess;
}

std::shared_ptr<ContextOf> current_machine() noexcept { return current.lock(); }

Result ContextOf::begin_call() {
  ++calls;
  if (sticky) return sticky;
  const auto failing = failing_calls.find(calls);
  if (failing == failing_calls.end()) return kSuccess;
  if (is_sticky(failing->second)) sticky = failing->second;
  return failing->second;
}

Result ContextOf::begin_allocation() { return ++allocations == failing_allocation ? kOutOfMemory : kSuccess; }

void ContextOf::close() {
  memory.check_zones(complaints);
  const std::pair<const char*, size_t> left[] = {{"blocks of memory", memory.blocks()},
                                                 {"pinned blocks", pinned.size()},
                                                 {"modules", modules.count()},
                                                 {"streams", streams.count()},
                                                 {"events", events.count()},
                                                 {"graphs", graphs.count() + execs.count()}};
  if (!sticky)  // what a lost device refused to take back is no fault of the host
    for (const auto& [what, count] : left)
      if (count > 0) complaints.push_back("left behind: " + std::to_string(count) + " " + what);
  memory.clear(), pinned.clear(), modules.clear(), streams.clear(), events.clear(), graphs.clear(), execs.clear();
}

const Table& emulated_table() noexcept {
  static constexpr Table table = [] {
    Table all;
#define IPA_X(name, symbol, parameters) all.name = calls::name;
    IPA_DRIVER_FUNCTIONS(IPA_X)
#undef IPA_X
    return all;
  }();
  return table;
}

EmulatedDevice::EmulatedDevice(EmulatedSettings settings) : machine_(std::make_shared<ContextOf>(std::move(settings))) {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  const auto unused = std::ranges::find_if(all.slots, [](const auto& slot) { return slot.expired(); });
  machine_->ordinal = static_cast<int>(unused - all.slots.begin());
  if (unused == all.slots.end())
    all.slots.push_back(machine_);
  else
    *unused = machine_;
}

EmulatedDevice::~EmulatedDevice() {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  all.slots[machine_->ordinal].reset();
  while (!all.slots.empty() && all.slots.back().expired()) all.slots.pop_back();
}

int EmulatedDevice::ordinal() const noexcept { return machine_->ordinal; }

uint64_t EmulatedDevice::calls() const {
  const std::lock_guard lock(machine_->mutex);
  return machine_->calls;
}

uint64_t EmulatedDevice::allocations() const {
  const std::lock_guard lock(machine_->mutex);
  return machine_->allocations;
}

void EmulatedDevice::fail_call(uint64_t number, Result result) {
  const std::lock_guard lock(machine_->mutex);
  machine_->failing_calls[number] = result;
}

void EmulatedDevice::fail_allocation(uint64_t number) {
  const std::lock_guard lock(machine_->mutex);
  machine_->failing_allocation = number;
}

size_t EmulatedDevice::live_bytes() const {
  const std::lock_guard lock(machine_->mutex);
  return machine_->memory.live();
}

size_t EmulatedDevice::peak_bytes() const {
  const std::lock_guard lock(machine_->mutex);
  return machine_->memory.peak();
}

std::vector<std::string> EmulatedDevice::complaints() const {
  const std::lock_guard lock(machine_->mutex);
  return machine_->complaints;
}

}  // namespace ipa::cuda::driver
