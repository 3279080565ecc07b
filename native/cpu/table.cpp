#include "cpu/table.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#include "core/error.h"

namespace ipa::cpu {

// One per level that CMake compiled, each from the same sources (kernels/).
#if IPA_WITH_BASE
namespace base {
extern const Level level;
}
#endif
#if IPA_WITH_AVX2
namespace avx2 {
extern const Level level;
}
#endif
#if IPA_WITH_AVX512
namespace avx512 {
extern const Level level;
}
#endif

namespace {

struct Features {
  bool avx2 = false;    // with FMA and F16C
  bool avx512 = false;  // F, BW, VL, DQ
};

#if defined(__x86_64__) || defined(__i386__)

// Which registers the operating system saves on a task switch.
uint64_t saved_state() {
  uint32_t low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<uint64_t>(high) << 32 | low;
}

Features detect() {
  constexpr uint32_t kOsxsave = 1u << 27, kFma = 1u << 12, kF16c = 1u << 29;                        // leaf 1 ecx
  constexpr uint32_t kAvx2 = 1u << 5, kF = 1u << 16, kDq = 1u << 17, kBw = 1u << 30, kVl = 1u << 31;  // leaf 7 ebx
  constexpr uint64_t kYmm = 0x6, kZmm = 0xe6;  // xcr0: xmm, ymm / and opmask, both halves of zmm
  Features has;
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & kOsxsave)) return has;
  const bool fma = (c & kFma) && (c & kF16c);
  const uint64_t saved = saved_state();
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return has;
  has.avx2 = fma && (b & kAvx2) && (saved & kYmm) == kYmm;
  constexpr uint32_t kAvx512 = kF | kDq | kBw | kVl;
  has.avx512 = has.avx2 && (b & kAvx512) == kAvx512 && (saved & kZmm) == kZmm;
  return has;
}

#else

Features detect() { return {}; }

#endif

}  // namespace

const std::vector<const Level*>& levels() {
  static const std::vector<const Level*> present = [] {
    [[maybe_unused]] const Features has = detect();
    std::vector<const Level*> list = {&naive::level};
#if IPA_WITH_BASE
    list.push_back(&base::level);
#endif
#if IPA_WITH_AVX2
    if (has.avx2) list.push_back(&avx2::level);
#endif
#if IPA_WITH_AVX512
    if (has.avx512) list.push_back(&avx512::level);
#endif
    return list;
  }();
  return present;
}

const Level& level(std::string_view name) {
  std::string present;
  for (const Level* l : levels()) {
    if (name == l->name) return *l;
    present += (present.empty() ? "" : ", ") + std::string(l->name);
  }
  fail(Code::DEVICE_UNSUPPORTED, "this CPU or this build has no level " + quoted(name), "levels here: " + present,
       {{"expected", present}, {"found", std::string(name)}});
}

const Level& default_level() {
  const char* wanted = std::getenv("IPA_CPU");
  return wanted && *wanted ? level(wanted) : *levels().back();
}

}  // namespace ipa::cpu
