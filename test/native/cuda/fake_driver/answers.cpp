// A driver that says what its definitions say (CMakeLists.txt), and nothing of use.
#include <cstdio>

#include "cuda/driver/table.h"

#if !defined(IPA_FAKE_VERSION)
#define IPA_FAKE_VERSION 13000
#endif
#if !defined(IPA_FAKE_INIT)
#define IPA_FAKE_INIT kSuccess
#endif
#if !defined(IPA_FAKE_DEVICES)
#define IPA_FAKE_DEVICES 1
#endif
#if !defined(IPA_FAKE_CAPABILITY)
#define IPA_FAKE_CAPABILITY 90
#endif

using namespace ipa::cuda::driver;

extern "C" {

Result cuInit(unsigned) { return IPA_FAKE_INIT; }
Result cuDriverGetVersion(int* version) { return *version = IPA_FAKE_VERSION, kSuccess; }
Result cuGetErrorName(Result result, const char** text) {
  return *text = result == kSystemDriverMismatch ? "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH" : "CUDA_ERROR_OTHER", kSuccess;
}
Result cuDeviceGetCount(int* count) { return *count = IPA_FAKE_DEVICES, kSuccess; }
Result cuDeviceGet(DeviceNumber* device, int ordinal) { return *device = ordinal, kSuccess; }
Result cuDeviceGetName(char* text, int bytes, DeviceNumber) {
  return std::snprintf(text, static_cast<size_t>(bytes), "fake card"), kSuccess;
}
Result cuDeviceGetAttribute(int* value, Attribute attribute, DeviceNumber) {
  *value = attribute == kCapabilityMajor ? IPA_FAKE_CAPABILITY / 10 : IPA_FAKE_CAPABILITY % 10;
  return kSuccess;
}

}  // extern "C"
