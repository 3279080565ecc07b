#include "core/random.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/dtype.h"

namespace ipa {

namespace {

constexpr size_t kBlock = 16;     // numbers transformed together
constexpr uint32_t kShift = 397;  // MT19937's middle word

// Box-Muller over 16 uniforms in place: element j is the radius, j + 8 the angle.
template <typename T>
void normal_block(T* d) {
  for (int j = 0; j < 8; ++j) {
    const T radius = std::sqrt(T(-2) * std::log(T(1) - d[j]));
    const T angle = T(2) * std::numbers::pi_v<T> * d[j + 8];
    d[j] = radius * std::cos(angle);
    d[j + 8] = radius * std::sin(angle);
  }
}

// 16 or more numbers of the element type: all uniforms first, then the blocks, then the tail over the last 16.
template <typename T, typename Uniform>
void normal_fill(std::span<T> out, Uniform uniform) {
  for (T& v : out) v = uniform();
  for (size_t at = 0; at + kBlock <= out.size(); at += kBlock) normal_block(&out[at]);
  if (out.size() % kBlock == 0) return;
  T* tail = out.data() + out.size() - kBlock;
  for (size_t j = 0; j < kBlock; ++j) tail[j] = uniform();
  normal_block(tail);
}

}  // namespace

void TorchCpuGenerator::seed(uint64_t seed) {
  state_[0] = static_cast<uint32_t>(seed);
  for (uint32_t j = 1; j < state_.size(); ++j) state_[j] = 1812433253u * (state_[j - 1] ^ (state_[j - 1] >> 30)) + j;
  next_ = static_cast<uint32_t>(state_.size());
  has_waiting_normal_ = false;
}

void TorchCpuGenerator::twist() {
  const uint32_t n = static_cast<uint32_t>(state_.size());
  for (uint32_t i = 0; i < n; ++i) {
    const uint32_t mixed = (state_[i] & 0x80000000u) | (state_[(i + 1) % n] & 0x7fffffffu);
    state_[i] = state_[(i + kShift) % n] ^ (mixed >> 1) ^ (mixed & 1u ? 0x9908b0dfu : 0u);
  }
  next_ = 0;
}

uint32_t TorchCpuGenerator::next32() {
  if (next_ == state_.size()) twist();
  uint32_t y = state_[next_++];
  y ^= y >> 11;
  y ^= (y << 7) & 0x9d2c5680u;
  y ^= (y << 15) & 0xefc60000u;
  return y ^ (y >> 18);
}

uint64_t TorchCpuGenerator::next64() {
  const uint64_t high = next32();
  return high << 32 | next32();
}

double TorchCpuGenerator::short_normal() {
  if (has_waiting_normal_) {
    has_waiting_normal_ = false;
    return waiting_normal_;
  }
  const double angle = 2 * std::numbers::pi * uniform53();
  const double radius = std::sqrt(-2 * std::log1p(-uniform53()));
  waiting_normal_ = radius * std::sin(angle);
  has_waiting_normal_ = true;
  return radius * std::cos(angle);
}

void TorchCpuGenerator::uniform(std::span<float> out) {
  for (float& v : out) v = uniform24();
}

void TorchCpuGenerator::randn(std::span<float> out) {
  if (out.size() >= kBlock) return normal_fill(out, [this] { return uniform24(); });
  for (float& v : out) v = static_cast<float>(short_normal());
}

void TorchCpuGenerator::randn(std::span<double> out) {
  if (out.size() >= kBlock) return normal_fill(out, [this] { return uniform53(); });
  for (double& v : out) v = short_normal();
}

template <typename Round>
void TorchCpuGenerator::randn_half(std::span<uint16_t> out, Round round) {
  if (out.size() < kBlock) {
    for (uint16_t& v : out) v = round(static_cast<float>(short_normal()));
    return;
  }
  // trap: unlike f32 the uniforms are drawn block by block, so the tail does not skip the remainder's words.
  const auto block = [&](uint16_t* to) {
    float d[kBlock];
    for (float& v : d) v = uniform24();
    normal_block(d);
    std::transform(d, d + kBlock, to, round);
  };
  for (size_t at = 0; at + kBlock <= out.size(); at += kBlock) block(&out[at]);
  if (out.size() % kBlock) block(out.data() + out.size() - kBlock);
}

void TorchCpuGenerator::randn_f16(std::span<uint16_t> out) { randn_half(out, f32_to_f16); }
void TorchCpuGenerator::randn_bf16(std::span<uint16_t> out) { randn_half(out, f32_to_bf16); }

template <typename Round, typename Widen>
void TorchCpuGenerator::randn_half_legacy(std::span<uint16_t> out, uint32_t mask, float step, Round round,
                                          Widen widen) {
  if (out.size() < kBlock) return randn_half(out, round);
  const auto cut = [&](float v) { return widen(round(v)); };
  const auto uniform = [&] { return round(static_cast<float>(next32() & mask) * step); };
  const auto block = [&](uint16_t* d) {
    for (int j = 0; j < 8; ++j) {
      const float radius = cut(std::sqrt(cut(-2.0f * cut(std::log(cut(1.0f - widen(d[j])))))));
      const float angle = cut(cut(2.0f * std::numbers::pi_v<float>) * widen(d[j + 8]));
      d[j] = round(radius * cut(std::cos(angle)));
      d[j + 8] = round(radius * cut(std::sin(angle)));
    }
  };
  for (uint16_t& v : out) v = uniform();
  for (size_t at = 0; at + kBlock <= out.size(); at += kBlock) block(&out[at]);
  if (out.size() % kBlock == 0) return;
  uint16_t* tail = out.data() + out.size() - kBlock;
  for (size_t j = 0; j < kBlock; ++j) tail[j] = uniform();
  block(tail);
}

void TorchCpuGenerator::randn_f16_legacy(std::span<uint16_t> out) {
  randn_half_legacy(out, 0x7ffu, 0x1p-11f, f32_to_f16, f16_to_f32);
}

void TorchCpuGenerator::randn_bf16_legacy(std::span<uint16_t> out) {
  randn_half_legacy(out, 0xffu, 0x1p-8f, f32_to_bf16, bf16_to_f32);
}

PhiloxCounter philox4x32(PhiloxCounter c, PhiloxKey key) noexcept {
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xd2511f53u} * c[0], p1 = uint64_t{0xcd9e8d57u} * c[2];
    c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ key[0], static_cast<uint32_t>(p1),
         static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ key[1], static_cast<uint32_t>(p0)};
    key[0] += 0x9e3779b9u;
    key[1] += 0xbb67ae85u;
  }
  return c;
}

namespace {

// The four words of one call of one thread. `call` counts calls since the generator was seeded.
PhiloxCounter philox_call(uint64_t seed, uint64_t call, uint64_t thread) {
  return philox4x32({static_cast<uint32_t>(call), static_cast<uint32_t>(call >> 32), static_cast<uint32_t>(thread),
                     static_cast<uint32_t>(thread >> 32)},
                    {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
}

// Box-Muller on two words, sine first, in f32.   source: curand_normal
std::array<float, 2> philox_normal_pair(uint32_t x, uint32_t y) {
  const float u = static_cast<float>(x) * 0x1p-32f + 0x1p-33f;
  const float v = (static_cast<float>(y) * 0x1p-32f + 0x1p-33f) * (2 * std::numbers::pi_v<float>);
  const float radius = std::sqrt(-2.0f * std::log(u));
  return {radius * std::sin(v), radius * std::cos(v)};
}

}  // namespace

void PhiloxGenerator::randn_cuda(std::span<float> out, uint32_t resident_threads) {
  constexpr uint64_t kThreadsPerBlock = 256;
  if (out.empty()) return;
  const uint64_t blocks_wanted = (out.size() + kThreadsPerBlock - 1) / kThreadsPerBlock;
  const uint64_t blocks_resident = std::max<uint64_t>(1, resident_threads / kThreadsPerBlock);
  const uint64_t threads = kThreadsPerBlock * std::min(blocks_wanted, blocks_resident);
  const uint64_t calls = (out.size() + 4 * threads - 1) / (4 * threads);  // a call gives four numbers per thread
  for (uint64_t call = 0; call < calls; ++call)
    for (uint64_t thread = 0; thread < threads; ++thread) {
      const uint64_t first = thread + threads * 4 * call;
      if (first >= out.size()) break;
      const PhiloxCounter words = philox_call(seed_, offset_ / 4 + call, thread);
      const auto a = philox_normal_pair(words[0], words[1]), b = philox_normal_pair(words[2], words[3]);
      const float numbers[4] = {a[0], a[1], b[0], b[1]};
      for (uint64_t k = 0; k < 4 && first + threads * k < out.size(); ++k) out[first + threads * k] = numbers[k];
    }
  offset_ += 4 * calls;
}

void PhiloxGenerator::randn_nv(std::span<float> out) {
  for (size_t i = 0; i < out.size(); ++i) {
    const PhiloxCounter words = philox_call(seed_, offset_ / 4, i);
    out[i] = philox_normal_pair(words[0], words[1])[0];
  }
  offset_ += 4;
}

}  // namespace ipa
