#include "cpu/table.h"

#include <cstdlib>
#include <string>

#include "core/error.h"
#include "cpu/features.h"

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
#if IPA_WITH_ARMV8_2
namespace armv8_2 {
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
#if IPA_WITH_NEON_BF16
namespace neon_bf16 {
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
namespace neon_bf16_stand_in {
extern const Level level;
}
#endif

namespace {

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
    [[maybe_unused]] const Features has = detect_features();
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
#if IPA_WITH_ARMV8_2
    if (has.armv82) list.push_back(&armv8_2::level);
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
#if IPA_WITH_NEON_BF16
    static Joined blocks;
    if (has.neon_bf16) list.push_back(join(blocks, f32, neon_bf16::level));
#endif
#if IPA_WITH_STAND_INS
    static Joined dot_stand_in, tiles_stand_in, blocks_stand_in;
    list.insert(list.begin() + 1,
                {join(dot_stand_in, f32, avx512bf16_stand_in::level), join(tiles_stand_in, f32, amx_stand_in::level),
                 join(blocks_stand_in, f32, neon_bf16_stand_in::level)});
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
