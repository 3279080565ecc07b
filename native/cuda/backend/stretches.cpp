#include "cuda/backend/stretches.h"

#include <algorithm>
#include <set>

namespace ipa::cuda {

namespace {

constexpr size_t kAlign = 256;  // bytes, as what the driver allocates
constexpr size_t kShare = 16;   // of all streamed bytes, a slot

size_t padded(size_t bytes) { return (bytes + kAlign - 1) / kAlign * kAlign; }

}  // namespace

Ring ring_of(std::span<const std::vector<SlotId>> reads, std::span<const size_t> streamed) {
  const auto bytes_of = [&](SlotId id) { return padded(streamed[static_cast<size_t>(id)]); };
  Ring ring;
  size_t all = 0;
  for (const size_t bytes : streamed) all += padded(bytes);
  for (const std::vector<SlotId>& of_node : reads) {
    size_t needed = 0;
    for (const SlotId id : std::set<SlotId>(of_node.begin(), of_node.end())) needed += bytes_of(id);
    ring.slot_bytes = std::max(ring.slot_bytes, needed);
  }
  if (ring.slot_bytes > 0) ring.slot_bytes = std::max(ring.slot_bytes, padded(all / kShare));

  Stretch now{0, 0, {}};
  size_t filled = 0;
  std::set<SlotId> here;
  for (size_t node = 0; node < reads.size(); ++node) {
    std::set<SlotId> more;
    for (const SlotId id : reads[node])
      if (streamed[static_cast<size_t>(id)] > 0 && !here.contains(id)) more.insert(id);
    size_t bytes = 0;
    for (const SlotId id : more) bytes += bytes_of(id);
    if (filled + bytes > ring.slot_bytes) {
      // Of this node everything is new to the next stretch.
      ring.stretches.push_back(std::move(now));
      now = {node, node, {}}, filled = 0, here.clear();
      for (const SlotId id : reads[node])
        if (streamed[static_cast<size_t>(id)] > 0) more.insert(id);
    }
    for (const SlotId id : more) {
      now.pieces.push_back({id, filled});
      filled += bytes_of(id), here.insert(id);
    }
    now.end = node + 1;
  }
  ring.stretches.push_back(std::move(now));
  return ring;
}

}  // namespace ipa::cuda
