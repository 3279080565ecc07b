#pragma once
// The wrappers as functions of a lane's words, for instruction vectors: recorded on a card (tools/gpu_check/vectors.cu)
// and replayed on the emulator (vectors.test.cpp), from this one source.
#include <cstddef>

#include "cuda/device/device.h"

namespace ipa::cuda::vectors {

constexpr size_t kSharedBytes = 32 * 16;

template <typename T, int kDepth>
IPA_DEVICE void multiply(const uint32_t* in, uint32_t* out) {  // in: A, B, D
  constexpr int kA = kDepth / 4, kB = kDepth / 8;
  uint32_t a[kA], b[kB];
  float d[4];
  for (int i = 0; i < kA; ++i) a[i] = in[i];
  for (int i = 0; i < kB; ++i) b[i] = in[kA + i];
  for (int i = 0; i < 4; ++i) d[i] = float_of(in[kA + kB + i]);
  if constexpr (kDepth == 16)
    multiply_k16(d, a, b, T{});
  else
    multiply_k8(d, a, b, T{});
  for (int i = 0; i < 4; ++i) out[i] = bits_of(d[i]);
}

template <int kCount, typename Load>
IPA_DEVICE void matrix(const uint32_t* in, uint32_t* out, const Load& load) {  // in: the lane's row
  uint32_t* const row = shared_memory<uint32_t>() + 4 * lane_index();
  for (int i = 0; i < 4; ++i) shared_store(row + i, in[i]);
  warp_sync();
  uint32_t words[kCount];
  load(words, row);
  for (int i = 0; i < kCount; ++i) out[i] = words[i];
}

// in: the words in global memory, how many bytes of them. `from` is 16 bytes of the lane's own.
template <int kBytes>
IPA_DEVICE void copy(const uint32_t* in, uint32_t* out, uint32_t* from) {
  for (int i = 0; i < kBytes / 4; ++i) from[i] = in[i];
  uint32_t* const to = shared_memory<uint32_t>() + 4 * lane_index();
  copy_async<kBytes>(to, from, in[kBytes / 4]);
  copy_commit();
  copy_wait<0>();
  for (int i = 0; i < kBytes / 4; ++i) out[i] = shared_load(to + i);
}

// Both words of an f64, the low one first.
IPA_DEVICE double f64_of(const uint32_t* words) {
  const uint64_t bits = static_cast<uint64_t>(words[1]) << 32 | words[0];
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}
IPA_DEVICE void put_f64(double value, uint32_t* words) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  words[0] = static_cast<uint32_t>(bits), words[1] = static_cast<uint32_t>(bits >> 32);
}

// What the words of a lane may be when they are drawn.
enum class Draw : uint8_t {
  words,      // any
  lanes,      // any, then a lane's or a distance below 32
  flag,       // 0 or 1
  operands8,  // f16 of small whole numbers, so that every order of the sums gives the same; k8
  operands16,
  brain8,  // the same of bf16
  brain16,
  bytes,    // any, then 0, a half or all of the bytes
  f32,      // normal
  above,    // above zero
  small,    // within 80 of zero: no function of them overflows
  half,     // a number of 16 bits, finite
  f64,      // normal
  f64above  // above zero
};

}  // namespace ipa::cuda::vectors

// X(name, words in, words out, limit, draw, body): `limit` is relative, of outputs that are f32; 0 for the same bits.
// The body has in, out and `own`, 16 bytes of the lane in global memory. Barriers, fences and atomic_add are not here:
// what they do shows over time, not in the words of one warp. The manual leaves order and rounding of the sums of a
// product to the card: those numbers are drawn so that sums are exact.
#define IPA_F32_OF(function) out[0] = bits_of(function(float_of(in[0])))
#define IPA_F32_OF_TWO(function) out[0] = bits_of(function(float_of(in[0]), float_of(in[1])))
// Rounded to f32, since that is what the kernels keep of them.
#define IPA_F32_OF_F64(function) out[0] = bits_of(static_cast<float>(function(f64_of(in))))
#define IPA_F64_OF_TWO(function) put_f64(function(f64_of(in), f64_of(in + 2)), out)
#define IPA_MATRIX(count, load) \
  matrix<count>(in, out, [](uint32_t(&words)[count], const void* row) { load(words, row); })

#define IPA_BF16_WRAPPERS(X)                                         \
  X(multiply_k8_bf16, 7, 4, 0, brain8, multiply<BFloat, 8>(in, out)) \
  X(multiply_k16_bf16, 10, 4, 0, brain16, multiply<BFloat, 16>(in, out))

// Limits of functions as the CUDA programming guide has them, with a digit to spare.
#define IPA_WRAPPERS(X)                                                                             \
  X(shuffle_xor, 2, 1, 0, lanes, out[0] = shuffle_xor(in[0], in[1]))                                \
  X(shuffle_up, 2, 1, 0, lanes, out[0] = shuffle_up(in[0], in[1]))                                  \
  X(shuffle_down, 2, 1, 0, lanes, out[0] = shuffle_down(in[0], in[1]))                              \
  X(shuffle, 2, 1, 0, lanes, out[0] = shuffle(in[0], in[1]))                                        \
  X(warp_ballot, 1, 1, 0, flag, out[0] = warp_ballot(in[0] != 0))                                   \
  X(warp_any, 1, 1, 0, flag, out[0] = warp_any(in[0] != 0))                                         \
  X(load_matrix_x1, 4, 1, 0, words, IPA_MATRIX(1, load_matrix_x1))                                  \
  X(load_matrix_x2, 4, 2, 0, words, IPA_MATRIX(2, load_matrix_x2))                                  \
  X(load_matrix_x4, 4, 4, 0, words, IPA_MATRIX(4, load_matrix_x4))                                  \
  X(load_transposed_x1, 4, 1, 0, words, IPA_MATRIX(1, load_transposed_x1))                          \
  X(load_transposed_x2, 4, 2, 0, words, IPA_MATRIX(2, load_transposed_x2))                          \
  X(load_transposed_x4, 4, 4, 0, words, IPA_MATRIX(4, load_transposed_x4))                          \
  X(multiply_k8_f16, 7, 4, 0, operands8, multiply<Half, 8>(in, out))                                \
  X(multiply_k16_f16, 10, 4, 0, operands16, multiply<Half, 16>(in, out))                            \
  X(copy_async_4, 2, 1, 0, bytes, copy<4>(in, out, own))                                            \
  X(copy_async_8, 3, 2, 0, bytes, copy<8>(in, out, own))                                            \
  X(copy_async_16, 5, 4, 0, bytes, copy<16>(in, out, own))                                          \
  X(to_float_f16, 1, 1, 0, half, out[0] = bits_of(to_float(Half{static_cast<uint16_t>(in[0])})))    \
  X(to_float_bf16, 1, 1, 0, half, out[0] = bits_of(to_float(BFloat{static_cast<uint16_t>(in[0])}))) \
  X(from_float_f16, 1, 1, 0, f32, out[0] = from_float<Half>(float_of(in[0])).bits)                  \
  X(from_float_bf16, 1, 1, 0, f32, out[0] = from_float<BFloat>(float_of(in[0])).bits)               \
  X(pack_f16, 2, 1, 0, f32, out[0] = pack<Half>(float_of(in[0]), float_of(in[1])))                  \
  X(pack_bf16, 2, 1, 0, f32, out[0] = pack<BFloat>(float_of(in[0]), float_of(in[1])))               \
  X(exp2_fast, 1, 1, 0x1p-21, small, IPA_F32_OF(exp2_fast))                                         \
  X(rsqrt_fast, 1, 1, 0x1p-21, above, IPA_F32_OF(rsqrt_fast))                                       \
  X(divide_fast, 2, 1, 0x1p-21, small, IPA_F32_OF_TWO(divide_fast))                                 \
  X(larger, 2, 1, 0, f32, IPA_F32_OF_TWO(larger))                                                   \
  X(error_function, 1, 1, 0x1p-20, f32, IPA_F32_OF(error_function))                                 \
  X(exp_f32, 1, 1, 0x1p-21, small, IPA_F32_OF(exp_f32))                                             \
  X(erfc_f32, 1, 1, 0x1p-20, f32, IPA_F32_OF(erfc_f32))                                             \
  X(tanh_f32, 1, 1, 0x1p-21, f32, IPA_F32_OF(tanh_f32))                                             \
  X(pow_f32, 2, 1, 0x1p-20, above, IPA_F32_OF_TWO(pow_f32))                                         \
  X(sqrt_f32, 1, 1, 0, above, IPA_F32_OF(sqrt_f32))                                                 \
  X(floor_f32, 1, 1, 0, small, IPA_F32_OF(floor_f32))                                               \
  X(ceil_f32, 1, 1, 0, small, IPA_F32_OF(ceil_f32))                                                 \
  X(exp_f64, 2, 1, 0x1p-23, f64, IPA_F32_OF_F64(exp_f64))                                           \
  X(cos_pi_f64, 2, 1, 0x1p-23, f64, IPA_F32_OF_F64(cos_pi_f64))                                     \
  X(sin_pi_f64, 2, 1, 0x1p-23, f64, IPA_F32_OF_F64(sin_pi_f64))                                     \
  X(sqrt_f64, 2, 1, 0, f64above, IPA_F32_OF_F64(sqrt_f64))                                          \
  X(multiply_f64, 4, 2, 0, f64, IPA_F64_OF_TWO(multiply_f64))                                       \
  X(add_f64, 4, 2, 0, f64, IPA_F64_OF_TWO(add_f64))
