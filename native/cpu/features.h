#pragma once
// What this CPU has, and its operating system lets programs use, of what levels are compiled for.

namespace ipa::cpu {

struct Features {
  // x86-64
  bool avx2 = false;    // with FMA and F16C
  bool avx512 = false;  // F, BW, VL, DQ
  bool avx512bf16 = false;
  bool fast_avx512bf16 = false;  // twice the f32 rate (AMD); elsewhere half of it
  bool amx = false;              // tiles and bf16, with the permission to use them
  // ARM64
  bool armv82 = false;     // arithmetic on f16, dot products
  bool neon_bf16 = false;  // with the former: bfmmla and conversions
};

Features detect_features();

}  // namespace ipa::cpu
