// The types of cuda/driver/table.h against those of the toolkit. Compiled where there is one (scripts/check-cuda.mjs),
// never run.
#include <cuda.h>

#include <type_traits>

#include "cuda/driver/table.h"

namespace ipa::cuda::driver {

// Parameters are passed alike: both pointers, or both numbers of the same size.
template <typename Ours, typename Theirs>
constexpr bool kAlike = sizeof(Ours) == sizeof(Theirs) && std::is_pointer_v<Ours> == std::is_pointer_v<Theirs> &&
                        std::is_floating_point_v<Ours> == std::is_floating_point_v<Theirs>;
template <typename Ours, typename Theirs>
constexpr bool kSameCall = false;
template <typename... Ours, typename... Theirs>
constexpr bool kSameCall<Result(Ours...), CUresult(Theirs...)> = [] {
  if constexpr (sizeof...(Ours) == sizeof...(Theirs))
    return (kAlike<Ours, Theirs> && ...);
  else
    return false;
}();
#define IPA_X(name, symbol, parameters) \
  static_assert(kSameCall<Result parameters, decltype(::symbol)>, #symbol " takes other parameters");
IPA_DRIVER_FUNCTIONS(IPA_X)
#undef IPA_X

#define SAME(ours, theirs) static_assert(static_cast<int>(ours) == static_cast<int>(theirs), #ours)
SAME(kSuccess, CUDA_SUCCESS);
SAME(kInvalidValue, CUDA_ERROR_INVALID_VALUE);
SAME(kOutOfMemory, CUDA_ERROR_OUT_OF_MEMORY);
SAME(kNotInitialized, CUDA_ERROR_NOT_INITIALIZED);
SAME(kDeinitialized, CUDA_ERROR_DEINITIALIZED);
SAME(kDeviceUnavailable, CUDA_ERROR_DEVICE_UNAVAILABLE);
SAME(kNoDevice, CUDA_ERROR_NO_DEVICE);
SAME(kInvalidDevice, CUDA_ERROR_INVALID_DEVICE);
SAME(kInvalidImage, CUDA_ERROR_INVALID_IMAGE);
SAME(kInvalidContext, CUDA_ERROR_INVALID_CONTEXT);
SAME(kNoBinaryForGpu, CUDA_ERROR_NO_BINARY_FOR_GPU);
SAME(kEccUncorrectable, CUDA_ERROR_ECC_UNCORRECTABLE);
SAME(kInvalidPtx, CUDA_ERROR_INVALID_PTX);
SAME(kNvlinkUncorrectable, CUDA_ERROR_NVLINK_UNCORRECTABLE);
SAME(kJitCompilerNotFound, CUDA_ERROR_JIT_COMPILER_NOT_FOUND);
SAME(kUnsupportedPtxVersion, CUDA_ERROR_UNSUPPORTED_PTX_VERSION);
SAME(kContained, CUDA_ERROR_CONTAINED);
SAME(kInvalidHandle, CUDA_ERROR_INVALID_HANDLE);
SAME(kNotFound, CUDA_ERROR_NOT_FOUND);
SAME(kNotReady, CUDA_ERROR_NOT_READY);
SAME(kIllegalAddress, CUDA_ERROR_ILLEGAL_ADDRESS);
SAME(kLaunchOutOfResources, CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
SAME(kLaunchTimeout, CUDA_ERROR_LAUNCH_TIMEOUT);
SAME(kContextIsDestroyed, CUDA_ERROR_CONTEXT_IS_DESTROYED);
SAME(kAssert, CUDA_ERROR_ASSERT);
SAME(kHardwareStackError, CUDA_ERROR_HARDWARE_STACK_ERROR);
SAME(kIllegalInstruction, CUDA_ERROR_ILLEGAL_INSTRUCTION);
SAME(kMisalignedAddress, CUDA_ERROR_MISALIGNED_ADDRESS);
SAME(kInvalidAddressSpace, CUDA_ERROR_INVALID_ADDRESS_SPACE);
SAME(kInvalidPc, CUDA_ERROR_INVALID_PC);
SAME(kLaunchFailed, CUDA_ERROR_LAUNCH_FAILED);
SAME(kTensorMemoryLeak, CUDA_ERROR_TENSOR_MEMORY_LEAK);
SAME(kNotSupported, CUDA_ERROR_NOT_SUPPORTED);
SAME(kSystemDriverMismatch, CUDA_ERROR_SYSTEM_DRIVER_MISMATCH);
SAME(kUnknown, CUDA_ERROR_UNKNOWN);
SAME(kMaxSharedPerBlock, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK);
SAME(kMultiprocessors, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
SAME(kL2Bytes, CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE);
SAME(kCapabilityMajor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
SAME(kCapabilityMinor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
SAME(kMaxSharedPerBlockOptin, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
SAME(kMaxDynamicShared, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
SAME(kHostMemory, CU_MEMORYTYPE_HOST);
SAME(kDeviceMemory, CU_MEMORYTYPE_DEVICE);
SAME(kStreamNonBlocking, CU_STREAM_NON_BLOCKING);

#define FIELD(ours, field, theirs, its) static_assert(offsetof(ours, field) == offsetof(theirs, its), #ours "." #field)
static_assert(sizeof(KernelNode) == sizeof(CUDA_KERNEL_NODE_PARAMS));
FIELD(KernelNode, grid_x, CUDA_KERNEL_NODE_PARAMS, gridDimX);
FIELD(KernelNode, block_x, CUDA_KERNEL_NODE_PARAMS, blockDimX);
FIELD(KernelNode, shared_bytes, CUDA_KERNEL_NODE_PARAMS, sharedMemBytes);
FIELD(KernelNode, arguments, CUDA_KERNEL_NODE_PARAMS, kernelParams);
FIELD(KernelNode, extra, CUDA_KERNEL_NODE_PARAMS, extra);
FIELD(KernelNode, kernel, CUDA_KERNEL_NODE_PARAMS, kern);
FIELD(KernelNode, context, CUDA_KERNEL_NODE_PARAMS, ctx);
static_assert(sizeof(CopyNode) == sizeof(CUDA_MEMCPY3D));
FIELD(CopyNode, from_type, CUDA_MEMCPY3D, srcMemoryType);
FIELD(CopyNode, from_device, CUDA_MEMCPY3D, srcDevice);
FIELD(CopyNode, from_pitch, CUDA_MEMCPY3D, srcPitch);
FIELD(CopyNode, from_height, CUDA_MEMCPY3D, srcHeight);
FIELD(CopyNode, to_x, CUDA_MEMCPY3D, dstXInBytes);
FIELD(CopyNode, to_type, CUDA_MEMCPY3D, dstMemoryType);
FIELD(CopyNode, to_device, CUDA_MEMCPY3D, dstDevice);
FIELD(CopyNode, to_pitch, CUDA_MEMCPY3D, dstPitch);
FIELD(CopyNode, to_height, CUDA_MEMCPY3D, dstHeight);
FIELD(CopyNode, width, CUDA_MEMCPY3D, WidthInBytes);
FIELD(CopyNode, height, CUDA_MEMCPY3D, Height);
FIELD(CopyNode, depth, CUDA_MEMCPY3D, Depth);
static_assert(sizeof(FillNode) == sizeof(CUDA_MEMSET_NODE_PARAMS));
FIELD(FillNode, pitch, CUDA_MEMSET_NODE_PARAMS, pitch);
FIELD(FillNode, value, CUDA_MEMSET_NODE_PARAMS, value);
FIELD(FillNode, element_bytes, CUDA_MEMSET_NODE_PARAMS, elementSize);
FIELD(FillNode, width, CUDA_MEMSET_NODE_PARAMS, width);
FIELD(FillNode, height, CUDA_MEMSET_NODE_PARAMS, height);

}  // namespace ipa::cuda::driver
