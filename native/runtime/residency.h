#pragma once
// Which networks have their weights and programs in a device's memory. Whoever is needed comes; where that takes more
// than the budget or than the device has, others leave, the longest unused first: for the host where the backend's
// memory is apart, elsewhere for their files.
#include <cstdint>
#include <list>
#include <mutex>

#include "core/error.h"

namespace ipa {

class Network;
class StopFlag;

// When networks that wait leave: as room is needed, as soon as another stage of a run begins, or not at all.
enum class Offload : uint8_t { automatic, always, never };

// Stages of a run that a network works in, as a sum: its reference pictures' is that of encoders and projectors, its
// drawing that of whatever steers the UNet.
enum Stage : uint8_t { kText = 1, kPictures = 2, kDrawing = 4, kDecoding = 8, kAnyStage = 15 };

class Residency {
 public:
  // Bytes for the weights and the values of all networks; 0: what the device has.
  void set_budget(uint64_t bytes) { budget_ = bytes; }
  // What the device has for them; 0: that is unknown, whoever asks for too much will hear it.
  void set_capacity(uint64_t bytes) { capacity_ = bytes; }
  void set_offload(Offload offload) { offload_ = offload; }
  Offload offload() const { return offload_; }
  // Whether leaving wins anything: on a host's own memory only where somebody wants less of it taken.
  bool leaving(bool apart) const {
    return offload_ == Offload::always || (offload_ == Offload::automatic && (apart || budget_ > 0));
  }
  // Whether who has done its work leaves without being asked for room.
  bool leaving_early(bool apart) const {
    return offload_ == Offload::always || (offload_ == Offload::automatic && apart);
  }
  // The flag of the job that runs now: weights that are read meanwhile poll it.
  const StopFlag* stop() const { return stop_; }
  class Running {
   public:
    Running(Residency& of, const StopFlag& stop) : of_(of) { of_.stop_ = &stop; }
    ~Running() { of_.stop_ = nullptr; }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    Residency& of_;
  };
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
  Offload offload_ = Offload::automatic;
  const StopFlag* stop_ = nullptr;
};

}  // namespace ipa
