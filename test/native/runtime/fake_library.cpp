// A device library that does not fit: its definitions say in what (CMakeLists.txt).
#include "plan/device_library.h"

#if !defined(IPA_FAKE_FINGERPRINT)
#define IPA_FAKE_FINGERPRINT ipa::kFingerprint
#endif
#if !defined(IPA_FAKE_ABI)
#define IPA_FAKE_ABI ipa::kLibraryAbi
#endif
#if !defined(IPA_FAKE_BACKEND)
#define IPA_FAKE_BACKEND sizeof(ipa::Backend)
#endif
#if !defined(IPA_FAKE_ENTRY)
#define IPA_FAKE_ENTRY ipa_device_library
#endif

extern "C" __attribute__((visibility("default"))) const ipa::DeviceLibrary* IPA_FAKE_ENTRY() {
  static constexpr ipa::DeviceLibrary library = {IPA_FAKE_ABI,
                                                 sizeof(ipa::DeviceLibrary),
                                                 IPA_FAKE_FINGERPRINT,
                                                 ipa::Backend{}.abi,
                                                 IPA_FAKE_BACKEND,
                                                 nullptr,
                                                 nullptr,
                                                 nullptr,
                                                 nullptr};
  return &library;
}
