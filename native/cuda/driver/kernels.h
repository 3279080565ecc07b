#pragma once
// Every kernel by the name the driver knows it by, from the lists of instances in cuda/kernels/: what a launch must
// bring, and how the emulated device runs it. A kernel's list is one line in kernels_of_cpu.cpp.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "cuda/emulator/launch.h"

namespace ipa::cuda::driver {

// A struct of arguments, told apart from others by address.
template <typename Arguments>
inline constexpr char kArguments = 0;

struct KernelRow {
  const char* name;
  uint32_t threads;       // of a block
  uint32_t shared_bytes;  // dynamic, of a block
  const char* arguments;  // &kArguments<its struct>
  size_t argument_bytes;
  void (*run)(const emulator::Launch& launch, const void* arguments);  // on the CPU
  const void* (*function)();  // the address of what runs there: which instance a call of the emulator means
};

std::span<const KernelRow> kernel_rows() noexcept;
const KernelRow* find_kernel(std::string_view name) noexcept;  // null: none of that name

}  // namespace ipa::cuda::driver
