#pragma once
// A result of the driver as an Error.
#include <string>

#include "core/error.h"
#include "cuda/driver/table.h"

namespace ipa::cuda::driver {

// CUDA_ERROR_OUT_OF_MEMORY (2, out of memory)
std::string text_of(const Table& table, Result result);

// After these a context can do nothing any more: every later call says the same.
bool is_sticky(Result result) noexcept;

struct Call {
  const char* name;         // of the driver
  std::string asked;        // what for: sizes, the kernel and its grid
  std::string kernel = "";  // if one is meant
};
// DEVICE_LOST, DEVICE_UNSUPPORTED or INTERNAL; out of memory is told by who asked for it, who knows how much.
Error failure_of(const Table& table, const Call& call, Result result);

}  // namespace ipa::cuda::driver
