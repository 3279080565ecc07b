#pragma once
// Which networks have their weights and programs in a device's memory. Whoever is needed comes; where that takes more
// than the budget or than the device has, others leave for the host, the longest unused first. Only where the backend's
// memory is not the host's: elsewhere leaving would win nothing.
#include <cstdint>
#include <list>
#include <mutex>

#include "core/error.h"

namespace ipa {

class Network;

class Residency {
 public:
  // Bytes for the weights and the values of all networks; 0: what the device has.
  void set_budget(uint64_t bytes) { budget_ = bytes; }
  // What the device has for them; 0: that is unknown, whoever asks for too much will hear it.
  void set_capacity(uint64_t bytes) { capacity_ = bytes; }
  uint64_t budget() const { return budget_ == 0 || (capacity_ > 0 && capacity_ < budget_) ? capacity_ : budget_; }
  uint64_t bytes() const;  // taken now
  uint64_t left() const {  // of the budget; 0 where there is none
    const uint64_t all = budget(), taken = bytes();
    return all > taken ? all - taken : 0;
  }

  // A network is known as long as one of these lives in it.
  class Member {
   public:
    Member(Residency& of, Network& network) : of_(of), network_(network) {
      const std::lock_guard lock(of_.mutex_);
      of_.networks_.push_front(&network);
    }
    // Perhaps on another thread than the device's, while that asks the networks for room: after this none asks this
    // one.
    ~Member() {
      const std::lock_guard lock(of_.mutex_);
      of_.networks_.remove(&network_);
    }
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

   private:
    Residency& of_;
    Network& network_;
  };

  // make(), which takes `bytes` for a network, once there is room. MEMORY_BUDGET when there never is within the budget;
  // DEVICE_OUT_OF_MEMORY when there never is on the device, or when it refuses although everyone else has left.
  template <typename F>
  decltype(auto) with_room(Network& network, uint64_t bytes, const F& make) {
    make_room(network, bytes);
    for (;;) {
      try {
        return make();
      } catch (const Error& e) {
        if (e.code != Code::DEVICE_OUT_OF_MEMORY || !one_leaves(network)) throw;
      }
    }
  }

 private:
  void make_room(Network& network, uint64_t bytes);
  bool one_leaves(const Network& not_this);  // false: nobody can

  mutable std::mutex mutex_;      // of the list, and while its networks are asked
  std::list<Network*> networks_;  // most recently used first
  uint64_t budget_ = 0, capacity_ = 0;
};

}  // namespace ipa
