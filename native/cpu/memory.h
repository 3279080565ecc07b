#pragma once
// Memory of the CPU backend: its buffers are memory of the host.
#include "core/arena.h"
#include "plan/backend.h"

namespace ipa::cpu {

struct Buffer : ipa::Buffer {
  explicit Buffer(size_t size) : ipa::Buffer{size}, memory(allocate(size)) {}
  Arena memory;
};

inline std::byte* address(Place p) {
  return p.buffer ? static_cast<Buffer*>(p.buffer)->memory.get() + p.offset : nullptr;
}
inline float* numbers(Place p) { return reinterpret_cast<float*>(address(p)); }

// Fill in the parts of a backend.
void offer_memory(Backend& backend);
void offer_latents(Backend& backend);

// No NaN and no Inf among them.
bool all_finite(const float* x, int64_t count) noexcept;

}  // namespace ipa::cpu
