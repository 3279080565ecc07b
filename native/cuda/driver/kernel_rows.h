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

// How a row runs on the CPU, and the address of what runs there.
#if defined(IPA_CARDS_ALONE)  // a library for cards: no kernel is compiled for the CPU
#define IPA_ON_CPU(Arguments, ...) nullptr, nullptr
#else
#define IPA_ON_CPU(Arguments, ...) run_row<Arguments, __VA_ARGS__>, function_of_row<Arguments, __VA_ARGS__>
#endif
#define IPA_ROW(name, Arguments, threads, blocks, shared_bytes, ...) \
  {#name, threads, shared_bytes, &kArguments<Arguments>, sizeof(Arguments), IPA_ON_CPU(Arguments, __VA_ARGS__)},

std::span<const KernelRow> product_rows() noexcept;
std::span<const KernelRow> convolution_rows() noexcept;
std::span<const KernelRow> attention_rows() noexcept;
std::span<const KernelRow> small_rows() noexcept;

}  // namespace ipa::cuda::driver
