#pragma once
// Weights that stay with the host and come over while a program runs: the nodes are cut into stretches, each with the
// weights that its nodes read, and the weights of a stretch come into one slot of a ring, a slot in turn. While one
// stretch runs, the weights of the next ones are on their way.
#include <cstddef>
#include <span>
#include <vector>

#include "plan/ops.h"

namespace ipa::cuda {

inline constexpr size_t kRingSlots = 3;

struct Stretch {
  struct Piece {
    SlotId weight;
    size_t offset;  // bytes, in the ring's slot
  };
  size_t first, end;  // nodes
  std::vector<Piece> pieces;
};

struct Ring {
  size_t slot_bytes = 0;
  std::vector<Stretch> stretches;  // all nodes, in order
  size_t bytes() const { return slot_bytes * kRingSlots; }
  // Where the piece of a stretch lies, from the ring's start.
  size_t place(size_t stretch, const Stretch::Piece& piece) const {
    return stretch % kRingSlots * slot_bytes + piece.offset;
  }
};

// `reads`: which weights each node reads; `streamed`: bytes of those that stay with the host, 0 for the others, by
// SlotId. A slot is as large as the largest node's weights need, and else a sixteenth of all.
Ring ring_of(std::span<const std::vector<SlotId>> reads, std::span<const size_t> streamed);

}  // namespace ipa::cuda
