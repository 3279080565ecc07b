#pragma once
// A card's buffers, and what a step loop asks of a backend between the runs of plans.
#include <vector>

#include "cuda/backend/backend.h"

namespace ipa::cuda {

struct Buffer : ipa::Buffer {
  explicit Buffer(driver::Memory its_memory) : ipa::Buffer{its_memory.bytes()}, memory(std::move(its_memory)) {}
  driver::Memory memory;

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

void copy(void* self, const Copy* copies, size_t count);
void combine(void* self, Place out, const Term* terms, size_t terms_count, size_t count);
void guide(void* self, Place unconditional, Place conditional, double scale, double rescale, Place out, size_t count);
bool finite(void* self, Place x, size_t count);

}  // namespace ipa::cuda
