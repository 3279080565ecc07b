#pragma once
// A driver over the memory of the host and the emulator: everything host code does to a device runs and is checked
// without one. Like the driver it is one per process; devices are plugged in and out.
//
// Memory lies between zones of NaN that are looked at when it is freed and at the end. A stream is an in-order queue
// whose work is done when it is asked for, or at the last moment that waits and events allow. A graph runs its nodes in
// an order that holds to their dependencies and to nothing else: of those that may run, the one added last. A kernel's
// misuse of the card is a failed launch, after which the device is lost; the driver's text for it then names kernel,
// block and thread.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/threads.h"
#include "cuda/driver/table.h"

namespace ipa::cuda::driver {

const Table& emulated_table() noexcept;

// Which streams put their work off: a wait that is missing between two streams shows in one case or the other.
enum class LateStreams : uint8_t { none, first, others };

struct EmulatedSettings {
  std::string name = "emulated device";
  int capability = 80;  // ten times the major number plus the minor
  size_t memory_bytes = size_t{8} << 30;
  ThreadPool* pool = nullptr;  // that runs blocks; null: the calling thread
  // Looks at all zones after every launch too, so that the launch that broke one is named.
  bool check_launches = false;
  LateStreams late = LateStreams::none;
};

// A device of the emulated driver as long as this object lives.
class EmulatedDevice {
 public:
  explicit EmulatedDevice(EmulatedSettings settings = {});
  ~EmulatedDevice();
  EmulatedDevice(const EmulatedDevice&) = delete;
  EmulatedDevice& operator=(const EmulatedDevice&) = delete;

  int ordinal() const noexcept;

  // Calls that concern this device, since it was plugged in, and allocations among them.
  uint64_t calls() const;
  uint64_t allocations() const;
  // The call (allocation) of that number, counted from 1 on as above, fails; a sticky result loses the device.
  void fail_call(uint64_t number, Result result);
  void fail_allocation(uint64_t number);

  size_t live_bytes() const;
  size_t peak_bytes() const;
  // What the host did wrong so far: zones overwritten, things left behind when the context went.
  std::vector<std::string> complaints() const;

 private:
  std::shared_ptr<struct ContextOf> machine_;
};

}  // namespace ipa::cuda::driver
