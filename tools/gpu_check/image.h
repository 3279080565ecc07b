#pragma once

namespace ipa::gpu_check {

// The kernels of vectors.cu as nvcc built them; null in a program without (image_none.cpp).
const void* vector_image() noexcept;

}  // namespace ipa::gpu_check
