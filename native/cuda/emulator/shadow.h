#pragma once
// The shadow of shared memory: who wrote and who read each word since the last barrier. Values can be right by luck of
// the order in which warps ran; this sees the missing barrier all the same.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace ipa::cuda::emulator {

class Shadow {
 public:
  void begin(size_t bytes);  // of a block with that much shared memory
  void barrier() { ++epoch_; }
  // Empty, or why `warp` may not touch these bytes now. Offsets are in bytes from the start of shared memory.
  std::string read(uint32_t warp, size_t offset, size_t bytes);
  std::string write(uint32_t warp, size_t offset, size_t bytes);

 private:
  struct Word {
    uint64_t written = 0;  // epoch of the last writing, 0 for never
    uint64_t read = 0;     // epoch of the last reading
    uint32_t writer = 0;   // warp
    uint32_t readers = 0;  // warps of that epoch, one bit each
  };
  std::vector<Word> words_;
  uint64_t epoch_ = 0;  // counts on from block to block, so that nothing need be cleared
};

}  // namespace ipa::cuda::emulator
