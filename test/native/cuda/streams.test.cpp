// Two streams of the emulated device: what waits and events promise holds, and nothing else.
#include <cstring>
#include <vector>

#include "cuda/driver/device.h"
#include "device_checks.h"
#include "test.h"

namespace ipa::cuda::driver {
namespace {

constexpr size_t kBytes = 4000;

// Uploads over the copy stream what the device then copies on; with `waits`, each begins after the other.
std::vector<uint32_t> passed_on(LateStreams late, bool waits) {
  EmulatedSettings settings;
  settings.late = late;
  const EmulatedDevice card(settings);
  std::vector<uint32_t> seen;
  {
    Device device = device_of(card);
    CopyStream copies(device);
    const Pinned pinned = device.allocate_pinned(2 * kBytes, "numbers");
    auto* const numbers = reinterpret_cast<uint32_t*>(pinned.data());
    for (size_t i = 0; i < 2 * kBytes / 4; ++i) numbers[i] = static_cast<uint32_t>(i);
    const Memory slot = device.allocate(kBytes, "a slot"), out = device.allocate(2 * kBytes, "the result");
    Event free(device), ready(device);
    free.record(device);
    for (size_t round = 0; round < 2; ++round) {
      if (waits) copies.wait(free);
      copies.upload(slot.at(), pinned, round * kBytes, kBytes);
      copies.record(ready);
      if (waits) device.wait(ready);
      device.copy(out.at(round * kBytes), slot.at(), kBytes);
      free.record(device);
    }
    seen.resize(2 * kBytes / 4);
    device.download(seen.data(), out.at(), 2 * kBytes);
  }
  expect_clean(card);
  return seen;
}

TEST("cuda streams: work of two streams that wait for each other comes in order, whichever is late") {
  std::vector<uint32_t> want(2 * kBytes / 4);
  for (size_t i = 0; i < want.size(); ++i) want[i] = static_cast<uint32_t>(i);
  for (const LateStreams late : {LateStreams::none, LateStreams::first, LateStreams::others})
    EXPECT(passed_on(late, true) == want);
  EXPECT(passed_on(LateStreams::first, false) != want);
  EXPECT(passed_on(LateStreams::others, false) != want);
}

TEST("cuda streams: memory that is given back is done with, pageable memory may go at once") {
  for (const LateStreams late : {LateStreams::none, LateStreams::first}) {
    EmulatedSettings settings;
    settings.late = late;
    const EmulatedDevice card(settings);
    {
      Device device = device_of(card);
      const Memory kept = device.allocate(kBytes, "kept");
      {
        const Memory brief = device.allocate(kBytes, "brief");
        std::vector<std::byte> numbers(kBytes, std::byte{5});
        device.upload(brief.at(), numbers.data(), kBytes);
        std::memset(numbers.data(), 6, kBytes);
        device.copy(kept.at(), brief.at(), kBytes);
      }
      EXPECT(bytes_of(device, kept) == std::vector<std::byte>(kBytes, std::byte{5}));
    }
    expect_clean(card);
  }
}

}  // namespace
}  // namespace ipa::cuda::driver
