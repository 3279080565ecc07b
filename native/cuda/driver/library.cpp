#include "cuda/driver/library.h"

#include <memory>
#include <utility>
#if defined(_WIN32)
#include <windows.h>
#else
#include <dlfcn.h>
#endif

#include "cuda/driver/failure.h"

namespace ipa::cuda::driver {
namespace {

using Kind = Unavailable::Kind;

#if defined(_WIN32)
constexpr const char* kSystemLibrary = "nvcuda.dll";
using LibraryHandle = HMODULE;
struct CloseLibrary {
  using pointer = LibraryHandle;
  void operator()(LibraryHandle library) const { FreeLibrary(library); }
};
// From the system's folder alone: a library of that name beside the caller's program is not asked for.
LibraryHandle open(const char* path) {
  return path ? LoadLibraryA(path) : LoadLibraryExA(kSystemLibrary, nullptr, LOAD_LIBRARY_SEARCH_SYSTEM32);
}
std::string last_error() { return "error " + std::to_string(GetLastError()); }
void* symbol(LibraryHandle library, const char* name) { return reinterpret_cast<void*>(GetProcAddress(library, name)); }
#else
constexpr const char* kSystemLibrary = "libcuda.so.1";
using LibraryHandle = void*;
struct CloseLibrary {
  void operator()(LibraryHandle library) const { dlclose(library); }
};
LibraryHandle open(const char* path) { return dlopen(path ? path : kSystemLibrary, RTLD_NOW | RTLD_LOCAL); }
std::string last_error() {
  const char* const text = dlerror();
  return text ? text : "no reason given";
}
void* symbol(LibraryHandle library, const char* name) { return dlsym(library, name); }
#endif
using Library = std::unique_ptr<std::remove_pointer_t<LibraryHandle>, CloseLibrary>;

constexpr const char* kUpdateHint = "install NVIDIA driver 580 or newer, or use device cpu";

// 12080 -> 12.8
std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::optional<Unavailable> too_old(int version) {
  if (version >= kLeastDriver) return std::nullopt;
  return Unavailable{Kind::driver_too_old,
                     "the NVIDIA driver offers CUDA " + version_text(version) + ", our kernels need CUDA " +
                         version_text(kLeastDriver) + " (driver 580)",
                     kUpdateHint};
}

Unavailable failed_call(const Table& table, const char* call, Result result) {
  const char* const hint = result == kSystemDriverMismatch
                               ? "restart the machine: the driver was updated while it ran"
                               : "see whether nvidia-smi works on this machine, or use device cpu";
  return {Kind::init_failed, std::string(call) + " failed: " + text_of(table, result), hint};
}

Unavailable no_device() {
  return {Kind::no_device, "the NVIDIA driver finds no device",
          "look at the environment variable CUDA_VISIBLE_DEVICES, or use device cpu"};
}

}  // namespace

Error error_of(const Unavailable& why) {
  Code code = Code::DEVICE_NONE;
  if (why.kind == Kind::driver_too_old || why.kind == Kind::missing_symbol) code = Code::DRIVER_TOO_OLD;
  if (why.kind == Kind::capability_too_low) code = Code::DEVICE_UNSUPPORTED;
  return {code, why.text, why.hint};
}

std::variant<Table, Unavailable> open_library(const char* path) {
  const std::string name = path ? path : kSystemLibrary;
  Library library(open(path));
  if (!library)
    return Unavailable{Kind::no_library, "no NVIDIA driver: " + quoted(last_error()),
                       "install NVIDIA driver 580 or newer where there is a card, or use device cpu"};
  Table table;
  const char* missing = nullptr;
#define IPA_X(member, name, parameters)                                                  \
  table.member = reinterpret_cast<decltype(table.member)>(symbol(library.get(), #name)); \
  if (!table.member && !missing) missing = #name;
  IPA_DRIVER_FUNCTIONS(IPA_X)
#undef IPA_X
  // An old driver lacks functions too; its age is the better reason.
  if (int version = 0; table.driver_version && table.driver_version(&version) == kSuccess)
    if (std::optional<Unavailable> why = too_old(version)) return *std::move(why);
  if (missing) return Unavailable{Kind::missing_symbol, quoted(name) + " lacks the function " + missing, kUpdateHint};
  if (std::optional<Unavailable> why = start(table)) return *std::move(why);
  (void)library.release();
  return table;
}

std::optional<Unavailable> start(const Table& table) {
  int version = 0, count = 0;
  if (const Result result = table.driver_version(&version)) return failed_call(table, "cuDriverGetVersion", result);
  if (std::optional<Unavailable> why = too_old(version)) return why;
  if (const Result result = table.init(0))
    return result == kNoDevice ? no_device() : failed_call(table, "cuInit", result);
  if (const Result result = table.device_count(&count))
    return result == kNoDevice ? no_device() : failed_call(table, "cuDeviceGetCount", result);
  if (count < 1) return no_device();
  return std::nullopt;
}

std::variant<DeviceNumber, Unavailable> usable_device(const Table& table, int ordinal) {
  int count = 0, major = 0, minor = 0;
  if (const Result result = table.device_count(&count)) return failed_call(table, "cuDeviceGetCount", result);
  DeviceNumber device = 0;
  const Result got = ordinal < 0 || ordinal >= count ? kInvalidDevice : table.device_get(&device, ordinal);
  if (got == kInvalidDevice)
    return Unavailable{Kind::no_device,
                       "there is no CUDA device " + std::to_string(ordinal) + ", the driver counts " +
                           std::to_string(count) + " of them, from 0",
                       "choose one of those"};
  if (got) return failed_call(table, "cuDeviceGet", got);
  for (const auto& [attribute, value] : {std::pair{kCapabilityMajor, &major}, std::pair{kCapabilityMinor, &minor}})
    if (const Result result = table.device_attribute(value, attribute, device))
      return failed_call(table, "cuDeviceGetAttribute", result);
  if (major * 10 + minor >= kLeastCapability) return device;
  char name[128] = "";
  if (table.device_name(name, sizeof name, device) != kSuccess) name[0] = '\0';
  return Unavailable{Kind::capability_too_low,
                     "device " + quoted(name) + " has compute capability " + std::to_string(major) + "." +
                         std::to_string(minor) + ", our kernels need 7.5 (Turing) or newer",
                     "use another card, or device cpu"};
}

}  // namespace ipa::cuda::driver
