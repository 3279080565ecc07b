#pragma once
// A library that runs plans on another device (plan/device_library.h), opened at run time.
#include <memory>
#include <string>
#include <vector>

#include "plan/device_library.h"

namespace ipa {

// Open as long as one of these is there. Its calls throw what happened on the other side: same code, message, hint and
// details.
class OpenLibrary {
 public:
  // An absolute path. BINARY_NOT_FOUND where no file is; BINARY_INCOMPATIBLE for what is no device library, or one of
  // another version or C++ runtime.
  static std::shared_ptr<const OpenLibrary> open(const std::string& path);
  ~OpenLibrary();
  OpenLibrary(const OpenLibrary&) = delete;
  OpenLibrary& operator=(const OpenLibrary&) = delete;

  // Throws DEVICE_NONE, DRIVER_TOO_OLD, DEVICE_UNSUPPORTED.
  std::vector<FoundDevice> devices() const;
  const OpenedDevice& open_device(size_t number, int threads) const;
  void close_device(const OpenedDevice& opened) const noexcept;
  // Throws what the last call of this thread left.
  void check() const;

 private:
  explicit OpenLibrary(void* handle) : handle_(handle) {}
  void* handle_;
  const DeviceLibrary* entry_ = nullptr;
};

// A device of a library, and its functions as the rest of the core calls them: those that fail throw.
class LibraryDevice {
 public:
  LibraryDevice(std::shared_ptr<const OpenLibrary> library, size_t number, int threads);
  ~LibraryDevice();
  LibraryDevice(const LibraryDevice&) = delete;
  LibraryDevice& operator=(const LibraryDevice&) = delete;

  Backend& backend() { return backend_; }
  const OpenedDevice& opened() const { return opened_; }
  const OpenLibrary& library() const { return *library_; }

 private:
  std::shared_ptr<const OpenLibrary> library_;
  const OpenedDevice& opened_;
  Backend backend_;
};

// 75 -> "7.5", 13000 -> "13.0"
std::string capability_text(int32_t capability);
std::string driver_text(int32_t driver);

}  // namespace ipa
