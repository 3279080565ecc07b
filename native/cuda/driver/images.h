#pragma once
// The kernels as nvcc built them, in programs that were built with IPA_CUDA (native/cuda/images.cmake).
#include <span>
#include <string_view>

namespace ipa::cuda::driver {

// A fat binary: the same kernels for several architectures, of one file of cuda/kernels/ and named after it.
struct Image {
  std::string_view name;  // "product_f16"
  const void* data;
};

std::span<const Image> images() noexcept;

}  // namespace ipa::cuda::driver
