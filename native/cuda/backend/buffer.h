#pragma once
// What a place of this backend points into.
#include <utility>
#include <vector>

#include "cuda/backend/backend.h"

namespace ipa::cuda {

struct Buffer : ipa::Buffer {
  explicit Buffer(driver::Memory its_memory) : ipa::Buffer{its_memory.bytes()}, memory(std::move(its_memory)) {}
  explicit Buffer(driver::Pinned its_memory) : ipa::Buffer{its_memory.bytes()}, streamed(std::move(its_memory)) {}
  bool is_streamed() const { return streamed.bytes() > 0; }

  // One of the two: on the card, or on the host for weights that come over while a program runs.
  driver::Memory memory;
  driver::Pinned streamed;

  // A part that is looked after: whoever writes to it says so.
  struct Watched {
    size_t offset, bytes;
    bool changed = true;
  };
  std::vector<Watched> watched;
};

inline driver::Address address(Place p) { return static_cast<Buffer*>(p.buffer)->memory.at(p.offset); }

// Marks what is watched there; every way of the backend to write ends here.
void written(Place at, size_t bytes);

}  // namespace ipa::cuda
