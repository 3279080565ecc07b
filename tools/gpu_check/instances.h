#pragma once
// The cases of every kernel instance that a device knows. The tables are made from the same lists as the driver's
// (cuda/driver/kernels_of_cpu_*.cpp): product<Half, float, Tile64x64> of a list becomes the struct of that name in the
// namespace `covered`, whose run() runs its cases.
#include <span>

#include "run_cases.h"

namespace ipa::gpu_check {

struct Instance {
  const char* name;      // of the kernel, "product_f16_f32_64x64"
  const char* function;  // its instance, "product<Half, float, Tile64x64>"
  cuda::Cases cases;
};

#define IPA_CASES(name, Arguments, threads, blocks, shared_bytes, ...) {#name, #__VA_ARGS__, covered::__VA_ARGS__::run},

std::span<const Instance> product_instances();
std::span<const Instance> convolution_instances();
std::span<const Instance> attention_instances();
std::span<const Instance> element_instances();
std::span<const Instance> row_instances();  // norms, softmax, between the runs of a step loop

}  // namespace ipa::gpu_check
