#include "cuda/driver/emulated_memory.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace ipa::cuda::driver {
namespace {

constexpr size_t kZone = 64 * 1024;  // bytes, more than a tile that strays
constexpr size_t kAlign = 256;       // bytes, as the driver promises
constexpr std::byte kNan{0xff};      // in every number type of ours

std::byte* memory_at(Address at) { return reinterpret_cast<std::byte*>(static_cast<uintptr_t>(at)); }

}  // namespace

void EmulatedMemory::Free::operator()(std::byte* memory) const { ::operator delete(memory, std::align_val_t{kAlign}); }

Result EmulatedMemory::allocate(size_t bytes, Address& to) {
  if (bytes == 0) return kInvalidValue;
  if (bytes > limit_ - live_) return kOutOfMemory;
  const size_t all = kZone + bytes + kZone;
  Block block{{}, bytes};
  block.memory.reset(static_cast<std::byte*>(::operator new(all, std::align_val_t{kAlign})));
  std::memset(block.memory.get(), static_cast<int>(kNan), all);
  to = reinterpret_cast<uintptr_t>(block.memory.get() + kZone);
  blocks_.emplace(to, std::move(block));
  live_ += bytes, peak_ = std::max(peak_, live_);
  list();
  return kSuccess;
}

Result EmulatedMemory::free(Address at, std::vector<std::string>& complaints) {
  if (at == 0) return kSuccess;
  const auto found = blocks_.find(at);
  if (found == blocks_.end()) return kInvalidValue;
  check(found->second, complaints);
  live_ -= found->second.bytes;
  blocks_.erase(found);
  list();
  return kSuccess;
}

bool EmulatedMemory::holds(Address at, size_t bytes) const {
  auto next = blocks_.upper_bound(at);
  if (next == blocks_.begin()) return false;
  const auto& [start, block] = *--next;
  return at - start <= block.bytes && bytes <= block.bytes - (at - start);
}

void EmulatedMemory::check(const Block& block, std::vector<std::string>& complaints) {
  const std::byte* const start = block.memory.get();
  const std::byte* const end = start + kZone + block.bytes;
  const std::string what = "a block of " + std::to_string(block.bytes) + " bytes: ";
  const auto touched = [](std::byte value) { return value != kNan; };
  for (size_t i = kZone; i > 0; --i)  // the nearest first
    if (touched(start[i - 1])) {
      complaints.push_back(what + "overwritten " + std::to_string(kZone - i + 1) + " bytes before its start");
      break;
    }
  const std::byte* const behind = std::find_if(end, end + kZone, touched);
  if (behind != end + kZone)
    complaints.push_back(what + "overwritten " + std::to_string(behind - end) + " bytes behind its end");
}

void EmulatedMemory::check_zones(std::vector<std::string>& complaints) const {
  for (const auto& [at, block] : blocks_) check(block, complaints);
}

void EmulatedMemory::list() {
  ranges_.clear();
  for (const auto& [at, block] : blocks_) ranges_.push_back({memory_at(at), block.bytes});
}

void EmulatedMemory::clear() {
  blocks_.clear(), ranges_.clear();
  live_ = 0;
}

}  // namespace ipa::cuda::driver
