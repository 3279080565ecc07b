#pragma once
// Matrices of a warp: ldmatrix and mma. All 32 lanes must call.
#include "cuda/device/memory.h"
#include "cuda/device/types.h"

namespace ipa::cuda {

#if defined(IPA_ON_CARD)

// 1, 2 or 4 matrices of 8 x 8 numbers of 16 bits. Lane 8 j + i brings the address of row i of matrix j, 16 bytes in
// shared memory at a multiple of 16; the other lanes any good one (sm_75). Lane 4 r + c gets numbers 2 c and 2 c + 1 of
// row r.
IPA_DEVICE void load_matrix_x1(uint32_t (&to)[1], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];"
               : "=r"(to[0])
               : "r"(shared_address(row))
               : "memory");
}
IPA_DEVICE void load_matrix_x2(uint32_t (&to)[2], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
               : "=r"(to[0]), "=r"(to[1])
               : "r"(shared_address(row))
               : "memory");
}
IPA_DEVICE void load_matrix_x4(uint32_t (&to)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(shared_address(row))
               : "memory");
}
// The same of the transposed matrices: lane 4 r + c gets numbers 2 c and 2 c + 1 of column r.
IPA_DEVICE void load_transposed_x1(uint32_t (&to)[1], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];"
               : "=r"(to[0])
               : "r"(shared_address(row))
               : "memory");
}
IPA_DEVICE void load_transposed_x2(uint32_t (&to)[2], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
               : "=r"(to[0]), "=r"(to[1])
               : "r"(shared_address(row))
               : "memory");
}
IPA_DEVICE void load_transposed_x4(uint32_t (&to)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(shared_address(row))
               : "memory");
}

// d [16][8] += a [16][8] b [8][8], sums in f32; a by rows, b by columns. Two numbers to a word, the first in the low
// half.
IPA_DEVICE void multiply_k8(float (&d)[4], const uint32_t* a, const uint32_t* b, Half) {
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(b[0]));
}
IPA_DEVICE void multiply_k8(float (&d)[4], const uint32_t* a, const uint32_t* b, BFloat) {
#if defined(IPA_BEFORE_AMPERE)
  asm volatile("trap;");  // no bf16 there; no kernel for it is built with it
#else
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(b[0]));
#endif
}

// d [16][8] += a [16][16] b [16][8]
IPA_DEVICE void multiply_k16(float (&d)[4], const uint32_t* a, const uint32_t* b, Half number) {
#if defined(IPA_BEFORE_AMPERE)
  multiply_k8(d, a, b, number);
  multiply_k8(d, a + 2, b + 1, number);
#else
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  (void)number;
#endif
}
IPA_DEVICE void multiply_k16(float (&d)[4], const uint32_t* a, const uint32_t* b, BFloat number) {
#if defined(IPA_BEFORE_AMPERE)
  multiply_k8(d, a, b, number);
#else
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  (void)number;
#endif
}

#else

inline void load_matrix_x1(uint32_t (&to)[1], const void* row) { emulator::load_matrix(to, 1, false, row); }
inline void load_matrix_x2(uint32_t (&to)[2], const void* row) { emulator::load_matrix(to, 2, false, row); }
inline void load_matrix_x4(uint32_t (&to)[4], const void* row) { emulator::load_matrix(to, 4, false, row); }
inline void load_transposed_x1(uint32_t (&to)[1], const void* row) { emulator::load_matrix(to, 1, true, row); }
inline void load_transposed_x2(uint32_t (&to)[2], const void* row) { emulator::load_matrix(to, 2, true, row); }
inline void load_transposed_x4(uint32_t (&to)[4], const void* row) { emulator::load_matrix(to, 4, true, row); }

inline void multiply_k8(float (&d)[4], const uint32_t* a, const uint32_t* b, Half) {
  emulator::multiply(d, a, b, 8, emulator::Number::half);
}
inline void multiply_k8(float (&d)[4], const uint32_t* a, const uint32_t* b, BFloat) {
  emulator::multiply(d, a, b, 8, emulator::Number::bfloat);
}
inline void multiply_k16(float (&d)[4], const uint32_t* a, const uint32_t* b, Half) {
  emulator::multiply(d, a, b, 16, emulator::Number::half);
}
inline void multiply_k16(float (&d)[4], const uint32_t* a, const uint32_t* b, BFloat) {
  emulator::multiply(d, a, b, 16, emulator::Number::bfloat);
}

#endif

}  // namespace ipa::cuda
