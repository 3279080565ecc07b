#include "runtime/residency.h"

#include <string>

#include "runtime/network.h"

namespace ipa {

uint64_t Residency::bytes() const {
  uint64_t all = 0;
  for (const Network* network : networks_) all += network->bytes();
  return all;
}

void Residency::make_room(Network& network, uint64_t bytes) {
  networks_.remove(&network);
  networks_.push_front(&network);
  if (budget_ == 0) return;
  while (this->bytes() + bytes > budget_)
    if (!one_leaves(network)) {
      const uint64_t needed = this->bytes() + bytes;
      fail(Code::MEMORY_BUDGET,
           std::to_string(needed) + " bytes are needed at once, the budget is " + std::to_string(budget_),
           "raise memory.budget, or ask for a smaller picture",
           {{"needed", std::to_string(needed)}, {"budget", std::to_string(budget_)}});
    }
}

bool Residency::one_leaves(const Network& not_this) {
  for (auto it = networks_.rbegin(); it != networks_.rend(); ++it)
    if (*it != &not_this && (*it)->leave()) return true;
  return false;
}

}  // namespace ipa
