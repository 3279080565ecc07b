#pragma once
// Memory of the emulated device: blocks of host memory between zones that nobody may touch.
#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cuda/driver/table.h"

namespace ipa::cuda::driver {

class EmulatedMemory {
 public:
  explicit EmulatedMemory(size_t limit) : limit_(limit) {}

  Result allocate(size_t bytes, Address& to);                     // filled with NaN
  Result free(Address at, std::vector<std::string>& complaints);  // looks at the zones
  bool holds(Address at, size_t bytes) const;                     // within one block
  void check_zones(std::vector<std::string>& complaints) const;   // of all blocks
  std::span<const std::span<const std::byte>> ranges() const { return ranges_; }
  size_t blocks() const { return blocks_.size(); }
  size_t live() const { return live_; }  // bytes
  size_t peak() const { return peak_; }
  size_t limit() const { return limit_; }
  void clear();

 private:
  struct Free {
    void operator()(std::byte* memory) const;
  };
  struct Block {
    std::unique_ptr<std::byte, Free> memory;  // zone, bytes, zone
    size_t bytes;
  };
  static void check(const Block& block, std::vector<std::string>& complaints);
  void list();

  std::map<Address, Block> blocks_;
  std::vector<std::span<const std::byte>> ranges_;
  size_t limit_, live_ = 0, peak_ = 0;
};

}  // namespace ipa::cuda::driver
