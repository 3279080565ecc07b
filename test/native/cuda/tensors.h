#pragma once
// What kernel tests share: tensors between red zones, fresh random numbers, the error against a reference.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "core/dtype.h"
#include "cuda/device/device.h"
#include "cuda/emulator/launch.h"
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace ipa::cuda {

using Failures = std::vector<std::string>;

// A new seed every time, or the one that a failed test printed.
inline uint64_t fresh_seed() {
  const char* const given = std::getenv("IPA_TEST_SEED");
  return given ? std::strtoull(given, nullptr, 10) : std::random_device()();
}

// Where tensors lie with their zones, and how many bytes: who runs a case on a card mirrors those that a launch points
// to (tools/gpu_check). Made and given back by one thread.
inline std::map<uintptr_t, size_t>& tensors_alive() {
  static std::map<uintptr_t, size_t> all;
  return all;
}

// `count` elements of NaN (all bits set) between two zones of NaN that nobody may touch.
template <typename T>
class Tensor {
 public:
  explicit Tensor(size_t count) : count_(count), memory_(kZone + count * sizeof(T) + kZone, std::byte{0xff}) {
    poison(true);
    tensors_alive()[address()] = memory_.size();
  }
  ~Tensor() {
    tensors_alive().erase(address());
    poison(false);
  }
  Tensor(const Tensor&) = delete;
  Tensor& operator=(const Tensor&) = delete;

  T* data() { return reinterpret_cast<T*>(memory_.data() + kZone); }
  const T* data() const { return reinterpret_cast<const T*>(memory_.data() + kZone); }
  size_t size() const { return count_; }
  T& operator[](size_t i) { return data()[i]; }
  const T& operator[](size_t i) const { return data()[i]; }
  std::span<const std::byte> bytes() const { return {memory_.data() + kZone, count_ * sizeof(T)}; }

  bool intact() {
    poison(false);
    bool whole = true;
    for (size_t i = 0; i < kZone; ++i)
      whole = whole && memory_[i] == std::byte{0xff} && memory_[memory_.size() - 1 - i] == std::byte{0xff};
    poison(true);
    return whole;
  }

 private:
  static constexpr size_t kZone = 64 * 1024;  // bytes, more than a tile that strays

  // Where the address sanitizer looks on, it reports the reading of a zone too.
  void poison([[maybe_unused]] bool on) {
#if defined(__SANITIZE_ADDRESS__)
    const size_t end = kZone + count_ * sizeof(T);
    if (on) {
      ASAN_POISON_MEMORY_REGION(memory_.data(), kZone);
      ASAN_POISON_MEMORY_REGION(memory_.data() + end, kZone);
    } else {
      ASAN_UNPOISON_MEMORY_REGION(memory_.data(), memory_.size());
    }
#endif
  }

  uintptr_t address() const { return reinterpret_cast<uintptr_t>(memory_.data()); }

  size_t count_;
  std::vector<std::byte> memory_;
};

// With the conversions of the core, not those under test.
inline double value(float x) { return x; }
inline double value(Half x) { return f16_to_f32(x.bits); }
inline double value(BFloat x) { return bf16_to_f32(x.bits); }
inline void set(float& to, float x) { to = x; }
inline void set(Half& to, float x) { to.bits = f32_to_f16(x); }
inline void set(BFloat& to, float x) { to.bits = f32_to_bf16(x); }

template <typename T>
void fill(Tensor<T>& tensor, std::mt19937_64& random, float deviation, float mean = 0) {
  std::normal_distribution<float> normal(mean, deviation);
  for (size_t i = 0; i < tensor.size(); ++i) set(tensor[i], normal(random));
}

// ||out - reference|| / ||reference||; NaN when any number is. The numbers of our cases have a deviation of 1 or more:
// a lone one that happens to be near zero counts as 0.5, or its error would look large.
template <typename T>
double relative_error(const Tensor<T>& out, const std::vector<double>& reference) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < reference.size(); ++i) {
    const double d = value(out[i]) - reference[i];
    difference += d * d, size += reference[i] * reference[i];
  }
  return std::sqrt(difference / std::max(size, 0.25 * static_cast<double>(reference.size())));
}

// What a result of 16 bits loses when it is rounded, and what the order of f32 sums moves.
template <typename Out>
constexpr double kLimit = std::is_same_v<Out, Half>     ? 1e-3
                          : std::is_same_v<Out, BFloat> ? 8e-3
                                                        : 1e-5;

template <typename T>
constexpr const char* kName = std::is_same_v<T, Half>     ? "f16"
                              : std::is_same_v<T, BFloat> ? "bf16"
                                                          : "f32";

// The three orders every kernel must give the same bits in.
inline std::vector<std::pair<const char*, emulator::Order>> all_orders(uint64_t seed) {
  using Kind = emulator::Order::Kind;
  return {{"forward", {Kind::forward, 0}}, {"reverse", {Kind::reverse, 0}}, {"shuffle", {Kind::shuffle, seed}}};
}

}  // namespace ipa::cuda
