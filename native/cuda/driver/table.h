#pragma once
// What host code may call on a device, in the form of the CUDA driver's own interface: filled from the driver
// (library.h) or by the emulated device (emulated.h). The types are declared here again, because the machine that
// builds the addon has no toolkit; where there is one, test/native/cuda/driver_header.cpp holds them against cuda.h.
#include <cstddef>
#include <cstdint>

namespace ipa::cuda::driver {

// ---- numbers of the driver: results ----
enum Result : int {
  kSuccess = 0,
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kNotInitialized = 3,
  kDeinitialized = 4,
  kDeviceUnavailable = 46,
  kNoDevice = 100,
  kInvalidDevice = 101,
  kInvalidImage = 200,
  kInvalidContext = 201,
  kNoBinaryForGpu = 209,
  kEccUncorrectable = 214,
  kInvalidPtx = 218,
  kNvlinkUncorrectable = 220,
  kJitCompilerNotFound = 221,
  kUnsupportedPtxVersion = 222,
  kContained = 226,
  kInvalidHandle = 400,
  kNotFound = 500,
  kNotReady = 600,
  kIllegalAddress = 700,
  kLaunchOutOfResources = 701,
  kLaunchTimeout = 702,
  kContextIsDestroyed = 709,
  kAssert = 710,
  kHardwareStackError = 714,
  kIllegalInstruction = 715,
  kMisalignedAddress = 716,
  kInvalidAddressSpace = 717,
  kInvalidPc = 718,
  kLaunchFailed = 719,
  kTensorMemoryLeak = 721,
  kNotSupported = 801,
  kSystemDriverMismatch = 803,
  kUnknown = 999,
};

// ---- and of what can be asked ----
enum Attribute : int {
  kMaxSharedPerBlock = 8,  // bytes, without asking for more
  kMultiprocessors = 16,
  kL2Bytes = 38,
  kCapabilityMajor = 75,
  kCapabilityMinor = 76,
  kMaxSharedPerBlockOptin = 97,  // bytes, once a function has asked for them
};
enum FunctionAttribute : int { kMaxDynamicShared = 8 };  // bytes
enum MemoryType : int { kHostMemory = 1, kDeviceMemory = 2 };
constexpr unsigned kStreamNonBlocking = 1;

// ---- handles ----
using DeviceNumber = int;
using Address = unsigned long long;  // in the memory of a device
using ContextHandle = struct ContextOf*;
using ModuleHandle = struct ModuleOf*;
using FunctionHandle = struct FunctionOf*;
using StreamHandle = struct StreamOf*;
using EventHandle = struct EventOf*;
using GraphHandle = struct GraphOf*;
using GraphNodeHandle = struct GraphNodeOf*;
using GraphExecHandle = struct GraphExecOf*;

struct KernelNode {  // CUDA_KERNEL_NODE_PARAMS_v2
  FunctionHandle function;
  unsigned grid_x, grid_y, grid_z;
  unsigned block_x, block_y, block_z;
  unsigned shared_bytes;
  void** arguments;
  void** extra;
  void* kernel;
  ContextHandle context;
};

struct CopyNode {  // CUDA_MEMCPY3D_v2
  size_t from_x, from_y, from_z, from_level;
  MemoryType from_type;
  const void* from_host;
  Address from_device;
  void* from_array;
  void* reserved_0;
  size_t from_pitch, from_height;
  size_t to_x, to_y, to_z, to_level;
  MemoryType to_type;
  void* to_host;
  Address to_device;
  void* to_array;
  void* reserved_1;
  size_t to_pitch, to_height;
  size_t width, height, depth;  // width in bytes
};

struct FillNode {  // CUDA_MEMSET_NODE_PARAMS_v1
  Address to;
  size_t pitch;
  unsigned value, element_bytes;
  size_t width, height;  // width in elements
};

// X(member of the table, symbol of the driver, parameters). Every function returns a Result; on 64-bit machines the
// driver's calling convention is that of C everywhere.
#define IPA_DRIVER_FUNCTIONS(X)                                                                                       \
  X(init, cuInit, (unsigned flags))                                                                                   \
  X(driver_version, cuDriverGetVersion, (int* version))                                                               \
  X(error_name, cuGetErrorName, (Result result, const char** text))                                                   \
  X(error_text, cuGetErrorString, (Result result, const char** text))                                                 \
  X(device_count, cuDeviceGetCount, (int* count))                                                                     \
  X(device_get, cuDeviceGet, (DeviceNumber * device, int ordinal))                                                    \
  X(device_name, cuDeviceGetName, (char* text, int bytes, DeviceNumber device))                                       \
  X(device_attribute, cuDeviceGetAttribute, (int* value, Attribute attribute, DeviceNumber device))                   \
  X(device_total_memory, cuDeviceTotalMem_v2, (size_t * bytes, DeviceNumber device))                                  \
  X(context_retain, cuDevicePrimaryCtxRetain, (ContextHandle * context, DeviceNumber device))                         \
  X(context_release, cuDevicePrimaryCtxRelease_v2, (DeviceNumber device))                                             \
  X(context_set_current, cuCtxSetCurrent, (ContextHandle context))                                                    \
  X(memory_allocate, cuMemAlloc_v2, (Address * to, size_t bytes))                                                     \
  X(memory_free, cuMemFree_v2, (Address at))                                                                          \
  X(memory_info, cuMemGetInfo_v2, (size_t * free, size_t * total))                                                    \
  X(pinned_allocate, cuMemHostAlloc, (void** to, size_t bytes, unsigned flags))                                       \
  X(pinned_free, cuMemFreeHost, (void* at))                                                                           \
  X(copy_to_device, cuMemcpyHtoDAsync_v2, (Address to, const void* from, size_t bytes, StreamHandle stream))          \
  X(copy_to_host, cuMemcpyDtoHAsync_v2, (void* to, Address from, size_t bytes, StreamHandle stream))                  \
  X(copy_on_device, cuMemcpyDtoDAsync_v2, (Address to, Address from, size_t bytes, StreamHandle stream))              \
  X(fill_bytes, cuMemsetD8Async, (Address to, unsigned char value, size_t count, StreamHandle stream))                \
  X(fill_words, cuMemsetD32Async, (Address to, unsigned value, size_t count, StreamHandle stream))                    \
  X(stream_create, cuStreamCreate, (StreamHandle * stream, unsigned flags))                                           \
  X(stream_destroy, cuStreamDestroy_v2, (StreamHandle stream))                                                        \
  X(stream_synchronize, cuStreamSynchronize, (StreamHandle stream))                                                   \
  X(stream_query, cuStreamQuery, (StreamHandle stream))                                                               \
  X(stream_wait_event, cuStreamWaitEvent, (StreamHandle stream, EventHandle event, unsigned flags))                   \
  X(event_create, cuEventCreate, (EventHandle * event, unsigned flags))                                               \
  X(event_record, cuEventRecord, (EventHandle event, StreamHandle stream))                                            \
  X(event_synchronize, cuEventSynchronize, (EventHandle event))                                                       \
  X(event_elapsed, cuEventElapsedTime, (float* milliseconds, EventHandle from, EventHandle to))                       \
  X(event_destroy, cuEventDestroy_v2, (EventHandle event))                                                            \
  X(module_load, cuModuleLoadData, (ModuleHandle * module, const void* image))                                        \
  X(module_unload, cuModuleUnload, (ModuleHandle module))                                                             \
  X(module_function, cuModuleGetFunction, (FunctionHandle * function, ModuleHandle module, const char* name))         \
  X(function_set_attribute, cuFuncSetAttribute, (FunctionHandle function, FunctionAttribute attribute, int value))    \
  X(launch, cuLaunchKernel,                                                                                           \
    (FunctionHandle function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,  \
     unsigned block_z, unsigned shared_bytes, StreamHandle stream, void** arguments, void** extra))                   \
  X(graph_create, cuGraphCreate, (GraphHandle * graph, unsigned flags))                                               \
  X(graph_destroy, cuGraphDestroy, (GraphHandle graph))                                                               \
  X(graph_add_kernel, cuGraphAddKernelNode_v2,                                                                        \
    (GraphNodeHandle * node, GraphHandle graph, const GraphNodeHandle* after, size_t count, const KernelNode* given)) \
  X(graph_add_copy, cuGraphAddMemcpyNode,                                                                             \
    (GraphNodeHandle * node, GraphHandle graph, const GraphNodeHandle* after, size_t count, const CopyNode* given,    \
     ContextHandle context))                                                                                          \
  X(graph_add_fill, cuGraphAddMemsetNode,                                                                             \
    (GraphNodeHandle * node, GraphHandle graph, const GraphNodeHandle* after, size_t count, const FillNode* given,    \
     ContextHandle context))                                                                                          \
  X(graph_instantiate, cuGraphInstantiateWithFlags,                                                                   \
    (GraphExecHandle * exec, GraphHandle graph, unsigned long long flags))                                            \
  X(graph_launch, cuGraphLaunch, (GraphExecHandle exec, StreamHandle stream))                                         \
  X(graph_exec_destroy, cuGraphExecDestroy, (GraphExecHandle exec))

struct Table {
#define IPA_X(name, symbol, parameters) Result(*name) parameters = nullptr;
  IPA_DRIVER_FUNCTIONS(IPA_X)
#undef IPA_X
};

}  // namespace ipa::cuda::driver
