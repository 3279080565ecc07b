#include "cpu/features.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

#include <cstdint>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>

#include <cstddef>
#endif

namespace ipa::cpu {

#if defined(__x86_64__) || defined(__i386__)

namespace {

// Which registers the operating system saves on a task switch.
uint64_t saved_state() {
  uint32_t low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<uint64_t>(high) << 32 | low;
}

// Linux gives the tile registers to processes that ask. Asked once, before the first tile instruction.
bool tiles_permitted() {
#if defined(__linux__) && defined(__x86_64__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

bool is_amd() {
  uint32_t a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(0, &a, &b, &c, &d) && b == 0x68747541 && d == 0x69746e65 && c == 0x444d4163;  // "AuthenticAMD"
}

}  // namespace

Features detect_features() {
  constexpr uint32_t kOsxsave = 1u << 27, kFma = 1u << 12, kF16c = 1u << 29;                          // leaf 1 ecx
  constexpr uint32_t kAvx2 = 1u << 5, kF = 1u << 16, kDq = 1u << 17, kBw = 1u << 30, kVl = 1u << 31;  // leaf 7 ebx
  constexpr uint32_t kAmxBf16 = 1u << 22, kAmxTile = 1u << 24;                                        // leaf 7 edx
  constexpr uint32_t kBf16 = 1u << 5;                                                                 // leaf 7.1 eax
  // xcr0: xmm, ymm / and opmask, both halves of zmm / tile configuration and data
  constexpr uint64_t kYmm = 0x6, kZmm = 0xe6, kTiles = 0x60000;
  Features has;
  uint32_t a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & kOsxsave)) return has;
  const bool fma = (c & kFma) && (c & kF16c);
  const uint64_t saved = saved_state();
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return has;
  has.avx2 = fma && (b & kAvx2) && (saved & kYmm) == kYmm;
  constexpr uint32_t kAvx512 = kF | kDq | kBw | kVl;
  has.avx512 = has.avx2 && (b & kAvx512) == kAvx512 && (saved & kZmm) == kZmm;
  const bool tiles = (d & kAmxBf16) && (d & kAmxTile) && (saved & kTiles) == kTiles;
  if (!has.avx512 || !__get_cpuid_count(7, 1, &a, &b, &c, &d)) return has;
  has.avx512bf16 = (a & kBf16) != 0;
  has.fast_avx512bf16 = has.avx512bf16 && is_amd();
  has.amx = has.avx512bf16 && tiles && tiles_permitted();  // operands are rounded with AVX-512 BF16
  return has;
}

#elif defined(__aarch64__) && defined(__linux__)

Features detect_features() {
  // source: Linux, arch/arm64/include/uapi/asm/hwcap.h
  constexpr unsigned long kHalf = 1ul << 9 | 1ul << 10, kDot = 1ul << 20;  // AT_HWCAP: FPHP, ASIMDHP; ASIMDDP
  constexpr unsigned long kBf16 = 1ul << 14;                               // AT_HWCAP2
  constexpr unsigned long kArmv82 = kHalf | kDot;
  Features has;
  has.armv82 = (getauxval(AT_HWCAP) & kArmv82) == kArmv82;
  has.neon_bf16 = has.armv82 && (getauxval(AT_HWCAP2) & kBf16);
  return has;
}

#elif defined(__aarch64__) && defined(__APPLE__)

namespace {

bool says(const char* name) {
  int value = 0;
  size_t bytes = sizeof value;
  return sysctlbyname(name, &value, &bytes, nullptr, 0) == 0 && value != 0;
}

}  // namespace

Features detect_features() {
  Features has;
  has.armv82 =
      (says("hw.optional.arm.FEAT_FP16") || says("hw.optional.neon_fp16")) && says("hw.optional.arm.FEAT_DotProd");
  has.neon_bf16 = has.armv82 && says("hw.optional.arm.FEAT_BF16");
  return has;
}

#else

Features detect_features() { return {}; }

#endif

}  // namespace ipa::cpu
