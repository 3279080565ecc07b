#include "cpu/table.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
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
// Products and attention alone; an f32 level lends the rest.
#if IPA_WITH_AVX512BF16
namespace avx512bf16 {
extern const Level level;
}
#endif
#if IPA_WITH_AMX
namespace amx {
extern const Level level;
}
#endif
// The same sources over plain C++ in place of the instructions: only in test programs, which compile this file
// themselves. They run on the machine that built them, so the stand-ins may be compiled for its vectors.
#if IPA_WITH_STAND_INS
namespace avx512bf16_stand_in {
extern const Level level;
}
namespace amx_stand_in {
extern const Level level;
}
#endif

namespace {

struct Features {
  bool avx2 = false;    // with FMA and F16C
  bool avx512 = false;  // F, BW, VL, DQ
  bool avx512bf16 = false;
  bool fast_avx512bf16 = false;  // twice the f32 rate (AMD); elsewhere half of it
  bool amx = false;              // tiles and bf16, with the permission to use them
};

#if defined(__x86_64__) || defined(__i386__)

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

Features detect() {
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

#else

Features detect() { return {}; }

#endif

// A level in two forms: the kernels of an f32 level, and the same with the products and attention of a bf16 one.
struct Joined {
  Level f32{}, bf16{};
};

[[maybe_unused]] const Level* join(Joined& to, const Level& f32, const Level& products) {
  to.bf16 = products;
  if (to.bf16.winograd_fits) to.bf16.winograd_scratch = f32.winograd_scratch, to.bf16.winograd = f32.winograd_of_pairs;
  if (!to.bf16.winograd) to.bf16.winograd_fits = nullptr;
  to.bf16.conv_few_fits = f32.conv_few_fits, to.bf16.conv_few_scratch = f32.conv_few_scratch;
  to.bf16.conv_few = f32.conv_few_of_pairs;
  to.bf16.group_norm_scratch = f32.group_norm_scratch, to.bf16.group_norm = f32.group_norm;
  to.bf16.layer_norm = f32.layer_norm, to.bf16.apply = f32.apply, to.bf16.geglu = f32.geglu;
  to.bf16.add = f32.add, to.bf16.add_scaled = f32.add_scaled;
  to.f32 = f32;
  to.f32.name = products.name, to.f32.bf16 = &to.bf16;
  return &to.f32;
}

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
    [[maybe_unused]] const Level& f32 = *list.back();
#if IPA_WITH_AVX512 && IPA_WITH_AVX512BF16
    static Joined dot;
    if (has.avx512bf16)  // where it is slower than f32 it stands before it
      list.insert(list.end() - (has.fast_avx512bf16 ? 0 : 1), join(dot, f32, avx512bf16::level));
#endif
#if IPA_WITH_AVX512 && IPA_WITH_AMX
    static Joined tiles;
    if (has.amx) list.push_back(join(tiles, f32, amx::level));
#endif
#if IPA_WITH_STAND_INS
    static Joined dot_stand_in, tiles_stand_in;
    list.insert(list.begin() + 1,
                {join(dot_stand_in, f32, avx512bf16_stand_in::level), join(tiles_stand_in, f32, amx_stand_in::level)});
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
  if (wanted && *wanted) return level(wanted);
  return *levels().back();
}

}  // namespace ipa::cpu
