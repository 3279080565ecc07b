#pragma once
// What a device library (cuda/library/) shows to whoever opens it (runtime/device_library.h). Both sides carry a C++
// runtime of their own: no exception crosses, and what one side allocates the other does not free. Plans, layouts and
// strings cross by reference, which the fingerprint guards.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <version>

#include "core/error.h"
#include "plan/backend.h"

namespace ipa {

// Every function of Backend; a new one is a word here, and crosses.
#define IPA_BACKEND_FUNCTIONS(X) \
  X(allocate)                    \
  X(free)                        \
  X(allocate_streamed)           \
  X(streaming_seconds)           \
  X(populate)                    \
  X(write)                       \
  X(read)                        \
  X(copy)                        \
  X(stored_type)                 \
  X(packed_bytes)                \
  X(pack_unit)                   \
  X(pack)                        \
  X(memory)                      \
  X(prepare)                     \
  X(release)                     \
  X(scratch_bytes)               \
  X(input)                       \
  X(output)                      \
  X(run)                         \
  X(status_path)                 \
  X(combine)                     \
  X(guide)                       \
  X(finite)

#define IPA_X(name) +1
inline constexpr size_t kBackendFunctions = 0 IPA_BACKEND_FUNCTIONS(IPA_X);
#undef IPA_X
static_assert(sizeof(Backend) == offsetof(Backend, allocate) + kBackendFunctions * sizeof(void*),
              "a function of Backend is missing above");

// Of package and C++ runtime: two binaries of one fingerprint agree on what a string, a vector and a plan are.
#if defined(IPA_VERSION)
#define IPA_TEXT_OF_(number) #number
#define IPA_TEXT_OF(number) IPA_TEXT_OF_(number)
#if defined(_LIBCPP_ABI_VERSION)
#define IPA_RUNTIME "libc++ ABI " IPA_TEXT_OF(_LIBCPP_ABI_VERSION)
#elif defined(__GLIBCXX__)
#define IPA_RUNTIME "libstdc++ ABI " IPA_TEXT_OF(_GLIBCXX_USE_CXX11_ABI)
#else
#define IPA_RUNTIME "MSVC " IPA_TEXT_OF(_MSC_VER)
#endif
inline constexpr const char* kFingerprint = sizeof(void*) == 8
                                                ? "node-ip-adapter " IPA_VERSION ", " IPA_RUNTIME ", 64 bit"
                                                : "node-ip-adapter " IPA_VERSION ", " IPA_RUNTIME ", 32 bit";
#endif

// A device that a library can open. Plain data: the caller's memory is written.
struct FoundDevice {
  char name[256];
  int32_t capability;  // ten times the major number plus the minor: 75, 90, 120
  int32_t driver;      // the newest CUDA it knows: 13000
  uint64_t memory;     // bytes
};

struct OpenedDevice {
  Backend backend;  // its functions throw nothing; failure() says afterwards what they would have thrown
  FoundDevice found;
  uint64_t capacity;  // bytes of its memory that were free when it was opened
};

// What a call on this thread would have thrown.
struct Failure {
  bool out_of_memory = false;  // std::bad_alloc; the rest says nothing
  Code code = Code::INTERNAL;
  std::string message, hint;
  Error::Details details;
};

inline constexpr uint32_t kLibraryAbi = 1;
inline constexpr const char* kLibraryEntry = "ipa_device_library";

struct DeviceLibrary {
  uint32_t abi;
  uint32_t size;            // of this struct
  const char* fingerprint;  // these three stay as they are in every version
  uint32_t backend_abi, backend_size;
  // How many devices there are; the first of them, at most `room`, are written to `found`.
  size_t (*devices)(FoundDevice* found, size_t room);
  // Null: failure() says why. `threads` run kernels where the device is the CPU.
  const OpenedDevice* (*open)(size_t number, int threads);
  void (*close)(const OpenedDevice* opened);
  // Of the last call of this thread: null where it went well. Stays until the next one.
  const Failure* (*failure)();
};

}  // namespace ipa
