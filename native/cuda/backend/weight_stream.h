#pragma once
// The weights of a program that come from the host each time it runs, through a ring of slots (stretches.h). They are
// copied in the card's second stream; events keep a stretch from running before its weights are there, and a slot from
// being filled while what it holds is read.
#include <vector>

#include "cuda/backend/buffer.h"
#include "cuda/backend/stretches.h"

namespace ipa::cuda {

class WeightStream {
 public:
  // `from`: where each weight lies on the host, by SlotId; those that no stretch names may be anywhere.
  WeightStream(Card& card, Ring ring, std::vector<Place> from, std::vector<size_t> bytes);

  const Ring& ring() const { return ring_; }
  driver::Address at() const { return memory_.at(); }
  // What is launched next finds the weights of this stretch.
  void begin(size_t stretch);
  // What was launched so far is all that reads them.
  void end(size_t stretch);

 private:
  Card& card_;
  Ring ring_;
  std::vector<Place> from_;
  std::vector<size_t> bytes_;
  driver::Memory memory_;
  std::vector<driver::Event> there_, read_;  // by slot
};

// Functions of Backend.
ipa::Buffer* allocate_streamed(void* self, size_t bytes);
double streaming_seconds(void* self, size_t bytes);

}  // namespace ipa::cuda
