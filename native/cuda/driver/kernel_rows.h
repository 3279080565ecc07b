#pragma once
// What a file of kernels_of_cpu_*.cpp is made of: lists of instances (cuda/kernels/) as rows. Several files, since each
// instance is compiled there.
#include <cstring>

#include "cuda/driver/kernels.h"

namespace ipa::cuda::driver {

template <typename Arguments, void (*kernel)(const Arguments&)>
void run_row(const emulator::Launch& launch, const void* bytes) {
  Arguments arguments;
  std::memcpy(&arguments, bytes, sizeof arguments);
  emulator::launch_body(launch, [&] { kernel(arguments); });
}

template <typename Arguments, void (*kernel)(const Arguments&)>
const void* function_of_row() {
  return reinterpret_cast<const void*>(kernel);
}

#define IPA_ROW(name, Arguments, threads, blocks, shared_bytes, ...) \
  {#name,                                                            \
   threads,                                                          \
   shared_bytes,                                                     \
   &kArguments<Arguments>,                                           \
   sizeof(Arguments),                                                \
   run_row<Arguments, __VA_ARGS__>,                                  \
   function_of_row<Arguments, __VA_ARGS__>},

std::span<const KernelRow> product_rows() noexcept;
std::span<const KernelRow> convolution_rows() noexcept;
std::span<const KernelRow> attention_rows() noexcept;
std::span<const KernelRow> small_rows() noexcept;

}  // namespace ipa::cuda::driver
