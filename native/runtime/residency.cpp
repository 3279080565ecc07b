#include "runtime/residency.h"

#include <string>

#include "runtime/network.h"

namespace ipa {

uint64_t Residency::bytes() const {
  const std::lock_guard lock(mutex_);
  uint64_t all = 0;
  for (const Network* network : networks_) all += network->bytes();
  return all;
}

void Residency::make_room(Network& network, uint64_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    networks_.remove(&network);
    networks_.push_front(&network);
    if (offload_ == Offload::always)
      for (Network* other : networks_)
        if ((other->stages() & network.stages()) == 0) other->leave();
  }
  const uint64_t most = budget();
  if (most == 0) return;
  while (this->bytes() + bytes > most)
    if (!one_leaves(network)) {
      const uint64_t needed = this->bytes() + bytes;
      const std::string text = std::to_string(needed) + " bytes are needed at once, ";
      if (most == budget_)
        fail(Code::MEMORY_BUDGET, text + "the budget is " + std::to_string(most),
             "raise memory.budget, or ask for a smaller picture",
             {{"needed", std::to_string(needed)}, {"allowed", std::to_string(most)}});
      fail(Code::DEVICE_OUT_OF_MEMORY, text + "the device had " + std::to_string(most) + " for us when it was opened",
           "close other programs that use the card, ask for a smaller picture or batch, or use device cpu",
           {{"needed", std::to_string(needed)}, {"free", std::to_string(most)}});
    }
}

bool Residency::one_leaves(const Network& not_this) {
  const std::lock_guard lock(mutex_);
  for (auto it = networks_.rbegin(); it != networks_.rend(); ++it)
    if (*it != &not_this && (*it)->leave()) return true;
  return false;
}

}  // namespace ipa
