// Every wrapper once, so that nvcc can be asked whether it takes them all (native/cuda/README.md). Never run.
#include "cuda/device/device.h"

using namespace ipa::cuda;

struct Given {
  const float* from;
  uint32_t* to;
  uint32_t number;
};

template <typename T>
IPA_DEVICE void numbers_and_products(const Given& given) {
  float d[4] = {};
  uint32_t a[4] = {given.number, 1, 2, 3}, b[2] = {given.number, 4};
  multiply_k8(d, a, b, T{});
  multiply_k16(d, a, b, T{});
  T* const to = reinterpret_cast<T*>(given.to) + 8 * thread_index();
  store_pair(to, d[0], d[1]);
  store_word(to + 2, pack<T>(d[2], d[3]));
  to[4] = from_float<T>(to_float(to[5]));
}

IPA_KERNEL(128, 2) products_f16(Given given) { numbers_and_products<Half>(given); }
#if !defined(IPA_WITHOUT_BF16)  // sm_75
IPA_KERNEL(128, 2) products_bf16(Given given) { numbers_and_products<BFloat>(given); }
#endif

IPA_KERNEL(128, 1) lanes(Given given) {
  const uint32_t x = given.number + lane_index();
  const float y = given.from[thread_index()];
  uint32_t sum = shuffle_xor(x, 1) + shuffle_up(x, 2) + shuffle_down(x, 3) + shuffle(x, 4);
  sum += warp_ballot(x > 3) + warp_any(x > 9);
  warp_sync();
  const float other = shuffle_xor(y, 1) + shuffle_up(y, 2) + shuffle_down(y, 3) + shuffle(y, 4);
  given.to[thread_index() + block_threads() * (block_index().x + grid_size().x * warp_index())] = sum + bits_of(other);
}

IPA_KERNEL(128, 1) memory(Given given) {
  char* const at = shared_memory<char>() + 16 * thread_index();
  copy_async<16>(at, given.from, given.number);
  copy_commit();
  copy_async<8>(at + 2048, given.from, given.number);
  copy_async<4>(at + 4096, given.from);
  copy_commit();
  copy_wait<1>();
  copy_wait<0>();
  block_barrier();
  uint32_t one[1], two[2], four[4], sum = 0;
  load_matrix_x1(one, at), sum += one[0];
  load_matrix_x2(two, at), sum += two[0] + two[1];
  load_matrix_x4(four, at), sum += four[0] + four[3];
  load_transposed_x1(one, at), sum += one[0];
  load_transposed_x2(two, at), sum += two[0] + two[1];
  load_transposed_x4(four, at), sum += four[0] + four[3];
  named_barrier(3, 128);
  shared_store(reinterpret_cast<uint32_t*>(at), sum);
  warp_sync();
  const float x = float_of(shared_load(reinterpret_cast<const uint32_t*>(at) + 1));
  store_pair(reinterpret_cast<float*>(given.to) + 2 + 2 * thread_index(), larger(x, exp2_fast(x)),
             rsqrt_fast(x) + divide_fast(x, 3));
  float first, second;
  load_pair(given.from + 2 * thread_index(), first, second);
  store_pair(reinterpret_cast<float*>(given.to) + 512 + 2 * thread_index(), error_function(first), second);
  thread_fence();
  if (thread_index() == 0) given.to[1] = atomic_add(given.to, 1);
}

IPA_KERNEL(128, 1) functions(Given given) {
  const float x = given.from[thread_index()], y = given.from[1];
  float sum = exp_f32(x) + erfc_f32(x) + tanh_f32(x) + pow_f32(x, y) + sqrt_f32(x) + floor_f32(x) + ceil_f32(y);
  const double wide = x;
  sum += static_cast<float>(exp_f64(wide) + cos_pi_f64(wide) + sin_pi_f64(wide) + sqrt_f64(wide));
  sum += static_cast<float>(add_f64(multiply_f64(wide, wide), wide));
  given.to[thread_index()] = bits_of(sum);
}

template <typename T>
IPA_DEVICE void numbers_side_by_side(const Given& given) {
  float one[1], four[4];
  T* const to = reinterpret_cast<T*>(given.to) + 8 * thread_index();
  load_numbers(to, one), load_numbers(to + 4, four);
  four[0] += one[0], one[0] += four[3];
  store_numbers(to + 1, one), store_numbers(to + 4, four);
}

IPA_KERNEL(128, 1) wide_f32(Given given) { numbers_side_by_side<float>(given); }
IPA_KERNEL(128, 1) wide_f16(Given given) { numbers_side_by_side<Half>(given); }
IPA_KERNEL(128, 1) wide_bf16(Given given) { numbers_side_by_side<BFloat>(given); }
