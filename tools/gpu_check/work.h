#pragma once
// One thing to measure: its launches over several sets of the same numbers, so that what it reads is not left in the L2
// by the run before, and how far its result is from sums in f64.
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "check.h"

namespace ipa::gpu_check {

// 16-bit numbers of either kind, or f32, of deviation about 1 times `scale`; fast, since there are many.
std::vector<uint16_t> drawn16(size_t count, uint64_t seed, bool brain, float scale = 1);
std::vector<float> drawn32(size_t count, uint64_t seed, float scale = 1);
float wide16(uint16_t bits, bool brain);

// The same bytes `copies` times on the device.
class Copies {
 public:
  Copies(driver::Device& device, size_t bytes, int copies, const char* what);
  void upload(const void* from);
  driver::Address at(int copy) const { return memory_.at(static_cast<size_t>(copy) * step_); }
  template <typename T>
  T* as(int copy) const {
    return reinterpret_cast<T*>(static_cast<uintptr_t>(at(copy)));
  }
  size_t bytes() const { return bytes_; }

 private:
  driver::Device& device_;
  size_t bytes_, step_;
  int copies_;
  driver::Memory memory_;
};

struct Work {
  Measurement row;
  int copies = 1;
  std::function<void(driver::Commands&, int copy)> add;
  const Copies* out = nullptr;
  // Numbers of the result of the first copy, each beside what it should be.
  std::function<std::vector<std::pair<double, double>>(const std::vector<std::byte>& out)> samples;
};

// How many copies make a run read what is no longer in the L2, its bytes being these.
int copies_for(const Card& card, size_t bytes);

// Runs twice on a poisoned result, compares, then times: 3 warm-ups, the median of 20 or more. Adds its row.
void measure(Card& card, const Options& options, Work& work, Report& report);
// Milliseconds of one of `launches` runs, quickly: to choose among tiles.
double quick_ms(Card& card, const Work& work, int repeats = 5);

struct Timed {
  double ms, spread;
};
// The median of `repeats` after 3 warm-ups, by events around each.
Timed timed(Card& card, int repeats, const std::function<void()>& run);

}  // namespace ipa::gpu_check
