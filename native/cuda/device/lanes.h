#pragma once
// What the 32 lanes of a warp tell each other. All lanes must call; a lane whose source is outside the warp gets its
// own value.
#include "cuda/device/types.h"

namespace ipa::cuda {

#if defined(IPA_ON_CARD)

inline constexpr uint32_t kAllLanes = 0xffffffffu;

IPA_DEVICE uint32_t shuffle_xor(uint32_t value, uint32_t mask) {
  return __shfl_xor_sync(kAllLanes, value, static_cast<int>(mask));
}
IPA_DEVICE uint32_t shuffle_up(uint32_t value, uint32_t distance) { return __shfl_up_sync(kAllLanes, value, distance); }
IPA_DEVICE uint32_t shuffle_down(uint32_t value, uint32_t distance) {
  return __shfl_down_sync(kAllLanes, value, distance);
}
IPA_DEVICE uint32_t shuffle(uint32_t value, uint32_t lane) {
  return __shfl_sync(kAllLanes, value, static_cast<int>(lane));
}
// Bit i is the predicate of lane i. (CUDA has a global ballot and any of its own.)
IPA_DEVICE uint32_t warp_ballot(bool predicate) { return __ballot_sync(kAllLanes, predicate); }
IPA_DEVICE bool warp_any(bool predicate) { return __any_sync(kAllLanes, predicate) != 0; }
IPA_DEVICE uint32_t bits_of(float value) { return __float_as_uint(value); }
IPA_DEVICE float float_of(uint32_t bits) { return __uint_as_float(bits); }

#else

inline uint32_t shuffle_xor(uint32_t value, uint32_t mask) {
  return emulator::shuffle(emulator::Shuffle::exclusive_or, value, mask);
}
inline uint32_t shuffle_up(uint32_t value, uint32_t distance) {
  return emulator::shuffle(emulator::Shuffle::up, value, distance);
}
inline uint32_t shuffle_down(uint32_t value, uint32_t distance) {
  return emulator::shuffle(emulator::Shuffle::down, value, distance);
}
inline uint32_t shuffle(uint32_t value, uint32_t lane) {
  return emulator::shuffle(emulator::Shuffle::index, value, lane);
}
inline uint32_t warp_ballot(bool predicate) { return emulator::ballot(predicate); }
inline bool warp_any(bool predicate) { return emulator::ballot(predicate) != 0; }
inline uint32_t bits_of(float value) { return __builtin_bit_cast(uint32_t, value); }
inline float float_of(uint32_t bits) { return __builtin_bit_cast(float, bits); }

#endif

IPA_DEVICE float shuffle_xor(float value, uint32_t mask) { return float_of(shuffle_xor(bits_of(value), mask)); }
IPA_DEVICE float shuffle_up(float value, uint32_t distance) { return float_of(shuffle_up(bits_of(value), distance)); }
IPA_DEVICE float shuffle_down(float value, uint32_t distance) {
  return float_of(shuffle_down(bits_of(value), distance));
}
IPA_DEVICE float shuffle(float value, uint32_t lane) { return float_of(shuffle(bits_of(value), lane)); }

}  // namespace ipa::cuda
