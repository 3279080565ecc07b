// A plan's nodes cut into stretches whose streamed weights fit a slot.
#include "cuda/backend/stretches.h"

#include <algorithm>
#include <random>

#include "test.h"

namespace ipa::cuda {
namespace {

// "" or what is wrong with a ring.
std::string fault(const Ring& ring, const std::vector<std::vector<SlotId>>& reads,
                  const std::vector<size_t>& streamed) {
  size_t next = 0;
  for (const Stretch& stretch : ring.stretches) {
    if (stretch.first != next) return "nodes are left out";
    next = stretch.end;
    std::vector<std::pair<size_t, size_t>> taken;
    for (const Stretch::Piece& piece : stretch.pieces)
      taken.emplace_back(piece.offset, piece.offset + streamed[static_cast<size_t>(piece.weight)]);
    std::sort(taken.begin(), taken.end());
    for (size_t i = 0; i < taken.size(); ++i) {
      if (taken[i].first % 256 != 0 || taken[i].second > ring.slot_bytes) return "a piece lies outside its slot";
      if (i > 0 && taken[i].first < taken[i - 1].second) return "pieces overlap";
    }
    for (size_t node = stretch.first; node < stretch.end; ++node)
      for (const SlotId id : reads[node])
        if (streamed[static_cast<size_t>(id)] > 0 &&
            std::none_of(stretch.pieces.begin(), stretch.pieces.end(), [&](const auto& p) { return p.weight == id; }))
          return "a node's weight does not come";
  }
  return next == reads.size() ? "" : "the last nodes are left out";
}

TEST("cuda stretches: every node finds its weights in its stretch, whatever the sizes") {
  std::mt19937 random(5);
  size_t several = 0;
  for (int round = 0; round < 200; ++round) {
    const size_t weights = 1 + random() % 30;
    std::vector<size_t> streamed(weights);
    for (size_t& bytes : streamed) bytes = random() % 3 ? random() % 5000 : 0;
    std::vector<std::vector<SlotId>> reads(random() % 40);
    for (auto& of_node : reads)
      for (size_t i = random() % 4; i > 0; --i) of_node.push_back(static_cast<SlotId>(random() % weights));
    const Ring ring = ring_of(reads, streamed);
    EXPECT_EQ(fault(ring, reads, streamed), "");
    several += ring.stretches.size() > 3;
  }
  EXPECT(several > 100);
}

TEST("cuda stretches: without streamed weights there is one stretch and no ring") {
  const std::vector<std::vector<SlotId>> reads = {{0}, {}, {1, 0}};
  const Ring ring = ring_of(reads, std::vector<size_t>{0, 0});
  EXPECT_EQ(ring.stretches.size(), size_t{1});
  EXPECT_EQ(ring.bytes(), size_t{0});
}

TEST("cuda stretches: the ring is a fraction of many weights alike, slots are taken in turn") {
  std::vector<std::vector<SlotId>> reads;
  for (SlotId id = 0; id < 64; ++id) reads.push_back({id});
  const Ring ring = ring_of(reads, std::vector<size_t>(64, 4096));
  EXPECT_EQ(ring.stretches.size(), size_t{16});
  EXPECT_EQ(ring.bytes(), size_t{3 * 4 * 4096});
  EXPECT_EQ(ring.place(4, ring.stretches[4].pieces[1]), size_t{4 * 4096 + 4096});
}

}  // namespace
}  // namespace ipa::cuda
