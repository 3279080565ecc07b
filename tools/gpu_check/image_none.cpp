// In the place of the file that carries the kernels of vectors.cu, and of ipa_cuda_images, where nvcc is not there.
#include "cuda/driver/images.h"
#include "image.h"

namespace ipa {

const void* gpu_check::vector_image() noexcept { return nullptr; }

std::span<const cuda::driver::Image> cuda::driver::images() noexcept { return {}; }

}  // namespace ipa
