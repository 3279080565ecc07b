#pragma once
// The six operations on AMX tiles that the kernels are written over: configure, load, store, zero, dot product,
// release. Eight tiles of 16 rows x 64 bytes each. With IPA_TILE_STAND_IN they are plain C++ over memory, which
// computes what the instructions are documented to compute, in their order: the kernels are then checked on any CPU.
// The instructions are written out here because compilers' own tile functions do not say which memory they touch.
#include "cpu/kernels/bf16.h"

namespace ipa::cpu::IPA_ISA {

inline constexpr int64_t kTileRows = 16, kTileBytes = 64;  // bytes of a row

#if !defined(IPA_TILE_STAND_IN)

struct TileShapes {  // source: instruction LDTILECFG, palette 1
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
};

IPA_INLINE void tile_configure() {
  alignas(64) static constexpr TileShapes kShapes = {
      1, 0, {}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
  asm volatile("ldtilecfg %0" ::"m"(kShapes));
}
IPA_INLINE void tile_release() { asm volatile("tilerelease"); }

// `step`: bytes from one row to the next.
template <int kTile>
IPA_INLINE void tile_load(const void* from, int64_t step) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(step), "i"(kTile) : "memory");
}
// The same for what will not be wanted again soon: leaves the first cache to the others.
template <int kTile>
IPA_INLINE void tile_load_once(const void* from, int64_t step) {
  asm volatile("tileloaddt1 (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(step), "i"(kTile) : "memory");
}
template <int kTile>
IPA_INLINE void tile_store(void* to, int64_t step) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(step), "i"(kTile) : "memory");
}
template <int kTile>
IPA_INLINE void tile_zero() {
  asm volatile("tilezero %%tmm%c0" ::"i"(kTile));
}
// kC [16, 16] f32 += kA [16, 32] bf16 . kB, 16 rows of 16 pairs
template <int kC, int kA, int kB>
IPA_INLINE void tile_dot() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kC), "i"(kA), "i"(kB));
}

#else

struct TileMemory {
  alignas(64) uint8_t bytes[8][kTileRows * kTileBytes];
  bool configured;
};
static thread_local TileMemory tile_memory;

// An instruction on a tile that was never configured ends the process on the real unit; here too.
IPA_INLINE uint8_t* tile_bytes(int tile) {
  if (!tile_memory.configured) __builtin_trap();
  return tile_memory.bytes[tile];
}

IPA_INLINE void tile_configure() {
  __builtin_memset(tile_memory.bytes, 0, sizeof tile_memory.bytes);
  tile_memory.configured = true;
}
IPA_INLINE void tile_release() { tile_memory.configured = false; }

template <int kTile>
IPA_INLINE void tile_load(const void* from, int64_t step) {
  uint8_t* to = tile_bytes(kTile);
  for (int64_t r = 0; r < kTileRows; ++r)
    __builtin_memcpy(to + r * kTileBytes, static_cast<const uint8_t*>(from) + r * step, kTileBytes);
}
template <int kTile>
IPA_INLINE void tile_load_once(const void* from, int64_t step) {
  tile_load<kTile>(from, step);
}
template <int kTile>
IPA_INLINE void tile_store(void* to, int64_t step) {
  const uint8_t* from = tile_bytes(kTile);
  for (int64_t r = 0; r < kTileRows; ++r)
    __builtin_memcpy(static_cast<uint8_t*>(to) + r * step, from + r * kTileBytes, kTileBytes);
}
template <int kTile>
IPA_INLINE void tile_zero() {
  __builtin_memset(tile_bytes(kTile), 0, kTileRows * kTileBytes);
}

// As documented for TDPBF16PS: per sum two chains of fused multiply-adds, over the lower and over the upper numbers of
// the pairs, both begun at zero; their sum is added to the tile. Nearest even, denormals are zeros throughout.
static __attribute__((noinline)) void stand_in_dot(uint8_t* c, const uint8_t* a, const uint8_t* b) {
  V lower[kTileRows], upper[kTileRows];  // of every row of b
  for (int64_t k = 0; k < kTileRows; ++k) {
    const VU row = *reinterpret_cast<const UnalignedU*>(b + k * kTileBytes);
    lower[k] = lower_halves(row), upper[k] = upper_halves(row);
  }
  for (int64_t m = 0; m < kTileRows; ++m, a += kTileBytes, c += kTileBytes) {
    const VU row = *reinterpret_cast<const UnalignedU*>(a);
    float a_lower[kTileRows], a_upper[kTileRows];
    store(a_lower, lower_halves(row)), store(a_upper, upper_halves(row));
    V even = {}, odd = {};
    for (int64_t k = 0; k < kTileRows; ++k) {
      even = without_denormals(fma(splat(a_lower[k]), lower[k], even));
      odd = without_denormals(fma(splat(a_upper[k]), upper[k], odd));
    }
    float* sums = reinterpret_cast<float*>(c);
    store(sums, without_denormals(without_denormals(load(sums)) + without_denormals(even + odd)));
  }
}

template <int kC, int kA, int kB>
IPA_INLINE void tile_dot() {
  const NoDenormals as_the_instruction;
  stand_in_dot(tile_bytes(kC), tile_bytes(kA), tile_bytes(kB));
}

#endif

}  // namespace ipa::cpu::IPA_ISA
