#include "runtime/device_library.h"

#include <filesystem>
#include <new>
#include <type_traits>
#include <utility>
#if defined(_WIN32)
#include <windows.h>
#else
#include <dlfcn.h>
#endif

#include "core/error.h"

namespace ipa {

namespace {

#if defined(_WIN32)
std::filesystem::path file_at(const std::string& path) {
  return std::filesystem::path(std::u8string(path.begin(), path.end()));
}
void* open_file(const std::string& path) {
  return LoadLibraryExW(file_at(path).c_str(), nullptr, LOAD_WITH_ALTERED_SEARCH_PATH);
}
std::string why_not() { return "error " + std::to_string(GetLastError()); }
void* symbol(void* file, const char* name) {
  return reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(file), name));
}
void close_file(void* file) { FreeLibrary(static_cast<HMODULE>(file)); }
#else
std::filesystem::path file_at(const std::string& path) { return path; }
void* open_file(const std::string& path) { return dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL); }
std::string why_not() {
  const char* const text = dlerror();
  return text ? text : "no reason given";
}
void* symbol(void* file, const char* name) { return dlsym(file, name); }
void close_file(void* file) { dlclose(file); }
#endif

constexpr const char* kHint = "install node-ip-adapter and its CUDA package of one version, or build both here";

[[noreturn]] void incompatible(const std::string& path, const std::string& what, Error::Details details = {}) {
  details.emplace_back("path", path);
  fail(Code::BINARY_INCOMPATIBLE, "the device library " + ipa::quoted(path) + " " + what, kHint, std::move(details));
}

void check_fit(const std::string& path, const DeviceLibrary& entry) {
  const auto differ = [&](const char* what, const std::string& found, const std::string& expected) {
    if (found != expected)
      incompatible(path,
                   std::string("has ") + what + " " + ipa::quoted(found) + ", this addon has " + ipa::quoted(expected),
                   {{"found", found}, {"expected", expected}});
  };
  differ("the interface", std::to_string(entry.abi) + " of " + std::to_string(entry.size) + " bytes",
         std::to_string(kLibraryAbi) + " of " + std::to_string(sizeof(DeviceLibrary)) + " bytes");
  differ("the fingerprint", entry.fingerprint, kFingerprint);
  differ("the backend", std::to_string(entry.backend_abi) + " of " + std::to_string(entry.backend_size) + " bytes",
         std::to_string(Backend{}.abi) + " of " + std::to_string(sizeof(Backend)) + " bytes");
}

// ---- functions of a backend, called through the boundary ----

LibraryDevice& own(void* self) { return *static_cast<LibraryDevice*>(self); }

// A program of the other side knows nothing of this one: its calls need the library that keeps their failure.
struct Held : Program {
  Held(LibraryDevice& its_device, Program* its_program) : of(its_device), inner(its_program) {}
  LibraryDevice& of;
  Program* inner;
};
const Held& held(const Program& program) { return static_cast<const Held&>(program); }

template <auto member>
struct Through;
template <typename Result, typename... Given, Result (*Backend::*member)(void*, Given...)>
struct Through<member> {
  static Result call(void* self, Given... given) {
    LibraryDevice& of = own(self);
    const Backend& inner = of.opened().backend;
    const auto checked = [&] {
      if constexpr (std::is_void_v<Result>) {
        (inner.*member)(inner.self, given...);
        of.library().check();
      } else {
        const Result result = (inner.*member)(inner.self, given...);
        of.library().check();
        return result;
      }
    };
    if constexpr (std::is_same_v<Result, Program*>) {
      auto program = std::make_unique<Held>(of, nullptr);
      program->inner = checked();
      return program.release();
    } else {
      return checked();
    }
  }
};
template <typename Result, typename Inner, typename... Given, Result (*Backend::*member)(Inner&, Given...)>
struct Through<member> {
  static Result call(Inner& program, Given... given) {
    const Held& it = held(program);
    if constexpr (std::is_reference_v<Result>)
      return (it.of.opened().backend.*member)(*it.inner, given...);
    else {
      Result result = (it.of.opened().backend.*member)(*it.inner, given...);
      it.of.library().check();
      return result;
    }
  }
};
template <void (*Backend::*member)(Program*)>
struct Through<member> {
  static void call(Program* program) {
    const std::unique_ptr<const Held> it(&held(*program));
    (it->of.opened().backend.*member)(it->inner);
  }
};

Backend through(LibraryDevice& of) {
  Backend outer = of.opened().backend;
  outer.self = &of;
#define IPA_X(name) \
  if (outer.name) outer.name = Through<&Backend::name>::call;
  IPA_BACKEND_FUNCTIONS(IPA_X)
#undef IPA_X
  return outer;
}

}  // namespace

std::shared_ptr<const OpenLibrary> OpenLibrary::open(const std::string& path) {
  std::error_code unreadable;
  if (!std::filesystem::exists(file_at(path), unreadable))
    fail(Code::BINARY_NOT_FOUND, "there is no device library at " + ipa::quoted(path),
         "build it (npx node-ip-adapter build --cuda) or install its package", {{"path", path}});
  void* const file = open_file(path);
  if (!file) {
    const std::string why = why_not();
    incompatible(path, "does not load: " + ipa::quoted(why), {{"reason", why}});
  }
  std::shared_ptr<OpenLibrary> library(new OpenLibrary(file));
  const auto entry = reinterpret_cast<const DeviceLibrary* (*)()>(symbol(file, kLibraryEntry));
  if (!entry) incompatible(path, std::string("is none: it has no ") + kLibraryEntry);
  library->entry_ = entry();
  check_fit(path, *library->entry_);
  return library;
}

OpenLibrary::~OpenLibrary() { close_file(handle_); }

std::vector<FoundDevice> OpenLibrary::devices() const {
  for (std::vector<FoundDevice> found(16);;) {
    const size_t count = entry_->devices(found.data(), found.size());
    check();
    const bool all = count <= found.size();
    found.resize(count);
    if (all) return found;
  }
}

const OpenedDevice& OpenLibrary::open_device(size_t number, int threads) const {
  const OpenedDevice* const opened = entry_->open(number, threads);
  check();
  return *opened;
}

void OpenLibrary::close_device(const OpenedDevice& opened) const noexcept { entry_->close(&opened); }

void OpenLibrary::check() const {
  const Failure* const failure = entry_->failure();
  if (!failure) return;
  if (failure->out_of_memory) throw std::bad_alloc();
  // Copies, letter by letter: the other side's strings are freed there.
  Error::Details details;
  for (const auto& [name, value] : failure->details) details.emplace_back(name.c_str(), value.c_str());
  throw Error(failure->code, failure->message.c_str(), failure->hint.c_str(), std::move(details));
}

LibraryDevice::LibraryDevice(std::shared_ptr<const OpenLibrary> library, size_t number, int threads)
    : library_(std::move(library)), opened_(library_->open_device(number, threads)), backend_(through(*this)) {}

LibraryDevice::~LibraryDevice() { library_->close_device(opened_); }

std::string capability_text(int32_t capability) {
  return std::to_string(capability / 10) + "." + std::to_string(capability % 10);
}

std::string driver_text(int32_t driver) {
  return std::to_string(driver / 1000) + "." + std::to_string(driver % 1000 / 10);
}

}  // namespace ipa
