#include "cuda/backend/weight_stream.h"

#include <algorithm>
#include <utility>

namespace ipa::cuda {

namespace {

Card& own(void* self) { return *static_cast<Card*>(self); }

driver::CopyStream& copies(Card& card) {
  if (!card.copies) card.copies.emplace(card.device);
  return *card.copies;
}

// Bytes a second from pinned memory, by the time of one copy after another has warmed the way up. Large enough to hide
// what a copy takes to begin, where there is room for it.
double measured_rate(Card& card) {
  const size_t bytes = std::clamp<size_t>(card.device.memory_info().free / 16, size_t{64} << 10, size_t{16} << 20);
  const driver::Pinned from = card.device.allocate_pinned(bytes, "a measurement");
  const driver::Memory to = card.device.allocate(bytes, "a measurement");
  driver::Event start(card.device), end(card.device);
  for (int i = 0; i < 2; ++i) {
    copies(card).record(start);
    copies(card).upload(to.at(), from, 0, bytes);
    copies(card).record(end);
  }
  const double seconds = static_cast<double>(end.since(start)) / 1000;
  return static_cast<double>(bytes) / std::max(seconds, 1e-6);
}

}  // namespace

WeightStream::WeightStream(Card& card, Ring ring, std::vector<Place> from, std::vector<size_t> bytes)
    : card_(card),
      ring_(std::move(ring)),
      from_(std::move(from)),
      bytes_(std::move(bytes)),
      memory_(card.device.allocate(ring_.bytes(), "the ring of streamed weights")) {
  for (size_t i = 0; i < kRingSlots; ++i) there_.emplace_back(card.device), read_.emplace_back(card.device);
  copies(card);
}

void WeightStream::begin(size_t stretch) {
  const std::vector<Stretch::Piece>& pieces = ring_.stretches[stretch].pieces;
  if (pieces.empty()) return;
  driver::CopyStream& copies = *card_.copies;
  const size_t slot = stretch % kRingSlots;
  copies.wait(read_[slot]);
  for (const Stretch::Piece& piece : pieces) {
    const Place& from = from_[static_cast<size_t>(piece.weight)];
    copies.upload(memory_.at(ring_.place(stretch, piece)), static_cast<Buffer*>(from.buffer)->streamed, from.offset,
                  bytes_[static_cast<size_t>(piece.weight)]);
  }
  copies.record(there_[slot]);
  card_.device.wait(there_[slot]);
}

void WeightStream::end(size_t stretch) {
  if (!ring_.stretches[stretch].pieces.empty()) read_[stretch % kRingSlots].record(card_.device);
}

ipa::Buffer* allocate_streamed(void* self, size_t bytes) {
  return new Buffer(own(self).device.allocate_pinned(bytes, "streamed weights"));
}

double streaming_seconds(void* self, size_t bytes) {
  Card& card = own(self);
  if (card.upload_rate == 0) card.upload_rate = measured_rate(card);
  return static_cast<double>(bytes) / card.upload_rate;
}

}  // namespace ipa::cuda
