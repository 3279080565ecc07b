#pragma once
// Random numbers as the reference draws them, so that a seed gives the reference's picture. All state is in the object.
#include <array>
#include <cstdint>
#include <span>

namespace ipa {

// torch's CPU generator: MT19937 with torch's rules for turning words into numbers.   source: torch.randn, torch.rand
//
// trap: what n numbers are depends on n. From 16 on they come in blocks of 16 (Box-Muller, element j with j + 8) and a
// remainder is drawn again over the last 16 elements; below 16 they are pairs in double precision whose second half
// waits in the generator for the next short draw.
class TorchCpuGenerator {
 public:
  explicit TorchCpuGenerator(uint64_t seed) { this->seed(seed); }
  void seed(uint64_t seed);  // only the low 32 bits count, as in the reference

  uint32_t next32();
  uint64_t next64();  // the first word is the high half

  void uniform(std::span<float> out);  // [0, 1), 24 bits
  void randn(
      std::span<float> out);  // agrees with the reference to 2e-6: its vector log, sin, cos differ in the last bits
  void randn(std::span<double> out);
  // Half types as the newest torch draws them: f32 arithmetic block by block, rounded once. From 16 numbers on that is
  // the rounded f32 sequence except for the tail when the count is no multiple of 16.
  void randn_f16(std::span<uint16_t> out);
  void randn_bf16(std::span<uint16_t> out);
  // Half types as older torch draws them (rngDtype "f16-legacy"): few-bit uniforms, each operation rounded.
  void randn_f16_legacy(std::span<uint16_t> out);
  void randn_bf16_legacy(std::span<uint16_t> out);

 private:
  void twist();
  double short_normal();
  float uniform24() { return static_cast<float>(next32() & 0xffffffu) * 0x1p-24f; }
  double uniform53() { return static_cast<double>(next64() & ((uint64_t{1} << 53) - 1)) * 0x1p-53; }
  template <typename Round>
  void randn_half(std::span<uint16_t> out, Round round);
  template <typename Round, typename Widen>
  void randn_half_legacy(std::span<uint16_t> out, uint32_t mask, float step, Round round, Widen widen);

  std::array<uint32_t, 624> state_;
  uint32_t next_ = 0;          // words of state_ already used
  double waiting_normal_ = 0;  // second half of the last short pair
  bool has_waiting_normal_ = false;
};

using PhiloxCounter = std::array<uint32_t, 4>;
using PhiloxKey = std::array<uint32_t, 2>;

// Ten rounds.   source: Salmon et al. 2011, Philox4x32-10
PhiloxCounter philox4x32(PhiloxCounter counter, PhiloxKey key) noexcept;

// Philox normals: what a CUDA generator gives (no GPU needed here), and the rule of A1111's "NV" source.
class PhiloxGenerator {
 public:
  explicit PhiloxGenerator(uint64_t seed, uint64_t offset = 0) : seed_(seed), offset_(offset) {}

  // torch.randn on a CUDA device. `resident_threads` = multiprocessors x threads each: T4 40,960, A100 221,184,
  // H100 270,336. Larger counts depend on it, so pictures of large latents depend on the GPU model.
  void randn_cuda(std::span<float> out, uint32_t resident_threads);
  // A1111 "NV": one number per counter whatever the count; the offset advances by one call.
  void randn_nv(std::span<float> out);

  uint64_t offset() const { return offset_; }  // in numbers per thread, four per call

 private:
  uint64_t seed_, offset_;
};

}  // namespace ipa
