#include "io/system.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <memory>
#if defined(_WIN32)
#include <io.h>
#include <windows.h>

#include <array>
#include <filesystem>
#include <utility>
#else
#include <unistd.h>
#endif
// libc++ reads reals since its version 20, on Apple's systems with those that carry it.
#if (defined(__cpp_lib_to_chars) && __cpp_lib_to_chars >= 201611L) || \
    (defined(_LIBCPP_VERSION) && _LIBCPP_VERSION >= 200000 && !defined(__APPLE__))
#define IPA_FROM_CHARS 1
#elif defined(__APPLE__)
#include <xlocale.h>
#else
#include <locale.h>
#endif

namespace ipa::system {

#if defined(_WIN32)

namespace {

std::filesystem::path wide(const std::string& path) { return std::u8string(path.begin(), path.end()); }

// The system's last error as errno.
int set_errno() {
  static constexpr std::array<std::pair<DWORD, int>, 12> kKnown = {{{ERROR_FILE_NOT_FOUND, ENOENT},
                                                                    {ERROR_PATH_NOT_FOUND, ENOENT},
                                                                    {ERROR_INVALID_NAME, ENOENT},
                                                                    {ERROR_BAD_NETPATH, ENOENT},
                                                                    {ERROR_ACCESS_DENIED, EACCES},
                                                                    {ERROR_SHARING_VIOLATION, EACCES},
                                                                    {ERROR_FILE_EXISTS, EEXIST},
                                                                    {ERROR_ALREADY_EXISTS, EEXIST},
                                                                    {ERROR_DISK_FULL, ENOSPC},
                                                                    {ERROR_HANDLE_DISK_FULL, ENOSPC},
                                                                    {ERROR_TOO_MANY_OPEN_FILES, EMFILE},
                                                                    {ERROR_NOT_ENOUGH_MEMORY, ENOMEM}}};
  const DWORD error = GetLastError();
  const auto known = std::find_if(kKnown.begin(), kKnown.end(), [&](const auto& row) { return row.first == error; });
  errno = known == kKnown.end() ? EIO : known->second;
  return -1;
}

HANDLE handle_of(int descriptor) { return reinterpret_cast<HANDLE>(_get_osfhandle(descriptor)); }

int descriptor_of(HANDLE handle, int flags) {
  if (handle == INVALID_HANDLE_VALUE) return set_errno();
  const int descriptor = _open_osfhandle(reinterpret_cast<intptr_t>(handle), flags | _O_BINARY | _O_NOINHERIT);
  if (descriptor < 0) CloseHandle(handle);
  return descriptor;
}

constexpr DWORD kShared = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
constexpr DWORD kMostAtOnce = DWORD{1} << 30;

}  // namespace

const char* const kSeparators = "/\\";

int open_to_read(const std::string& path) {
  constexpr DWORD kFoldersToo = FILE_FLAG_BACKUP_SEMANTICS;  // so that they are told apart from what may not be read
  return descriptor_of(
      CreateFileW(wide(path).c_str(), GENERIC_READ, kShared, nullptr, OPEN_EXISTING, kFoldersToo, nullptr), _O_RDONLY);
}

int open_new(const std::string& path) {
  return descriptor_of(
      CreateFileW(wide(path).c_str(), GENERIC_WRITE, kShared, nullptr, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, nullptr), 0);
}

void close_file(int descriptor) { _close(descriptor); }

std::optional<FileIdentity> identity(int descriptor) {
  const HANDLE handle = handle_of(descriptor);
  FileIdentity its;
  switch (GetFileType(handle)) {
    case FILE_TYPE_DISK:
      break;
    case FILE_TYPE_PIPE:
      its.kind = FileKind::pipe;
      return its;
    case FILE_TYPE_CHAR:
      its.kind = FileKind::device;
      return its;
    default:
      return its;
  }
  BY_HANDLE_FILE_INFORMATION about;
  FILE_BASIC_INFO times;
  if (!GetFileInformationByHandle(handle, &about) ||
      !GetFileInformationByHandleEx(handle, FileBasicInfo, &times, sizeof times)) {
    set_errno();
    return std::nullopt;
  }
  const auto joined = [](DWORD high, DWORD low) { return static_cast<uint64_t>(high) << 32 | low; };
  its.kind = about.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY ? FileKind::directory : FileKind::regular;
  its.device = about.dwVolumeSerialNumber, its.number = joined(about.nFileIndexHigh, about.nFileIndexLow);
  its.links = about.nNumberOfLinks, its.size = joined(about.nFileSizeHigh, about.nFileSizeLow);
  its.modified = times.LastWriteTime.QuadPart * 100, its.changed = times.ChangeTime.QuadPart * 100;
  return its;
}

int64_t read_at(int descriptor, void* to, size_t bytes, uint64_t offset) {
  OVERLAPPED at = {};
  at.Offset = static_cast<DWORD>(offset), at.OffsetHigh = static_cast<DWORD>(offset >> 32);
  DWORD got = 0;
  const DWORD want = static_cast<DWORD>(std::min<size_t>(bytes, kMostAtOnce));
  if (ReadFile(handle_of(descriptor), to, want, &got, &at)) return got;
  return GetLastError() == ERROR_HANDLE_EOF ? 0 : set_errno();
}

int64_t write_next(int descriptor, const void* from, size_t bytes) {
  DWORD put = 0;
  const DWORD want = static_cast<DWORD>(std::min<size_t>(bytes, kMostAtOnce));
  return WriteFile(handle_of(descriptor), from, want, &put, nullptr) ? put : set_errno();
}

bool finish(int descriptor) {
  const bool flushed = FlushFileBuffers(handle_of(descriptor)) || set_errno() == 0;
  const int error = errno;
  const bool closed = _close(descriptor) == 0;
  if (!flushed) errno = error;
  return flushed && closed;
}

void remove_file(const std::string& path) { DeleteFileW(wide(path).c_str()); }

bool no_room(int error) { return error == ENOSPC || error == EFBIG; }

std::optional<std::string> resolved(const std::string& path) {
  std::error_code missing;
  const std::filesystem::path real = std::filesystem::canonical(wide(path), missing);
  if (missing) return std::nullopt;
  const std::u8string text = real.u8string();
  return std::string(text.begin(), text.end());
}

#else

namespace {

FileKind kind_of(mode_t mode) {
  if (S_ISREG(mode)) return FileKind::regular;
  if (S_ISDIR(mode)) return FileKind::directory;
  if (S_ISFIFO(mode)) return FileKind::pipe;
  if (S_ISCHR(mode) || S_ISBLK(mode)) return FileKind::device;
  return FileKind::other;
}

int64_t nanoseconds(const timespec& time) { return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

// `call` again for as long as a signal interrupts it.
template <typename F>
auto again(const F& call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

}  // namespace

const char* const kSeparators = "/";

int open_to_read(const std::string& path) {
  return again([&] { return open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); });
}

int open_new(const std::string& path) {
  return again([&] { return open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); });
}

void close_file(int descriptor) { close(descriptor); }

std::optional<FileIdentity> identity(int descriptor) {
  struct stat about = {};
  if (fstat(descriptor, &about) != 0) return std::nullopt;
#if defined(__APPLE__)
  const timespec &modified = about.st_mtimespec, &changed = about.st_ctimespec;
#else
  const timespec &modified = about.st_mtim, &changed = about.st_ctim;
#endif
  FileIdentity its;
  its.kind = kind_of(about.st_mode);
  its.device = static_cast<uint64_t>(about.st_dev), its.number = about.st_ino;
  its.links = about.st_nlink, its.size = static_cast<uint64_t>(std::max<off_t>(about.st_size, 0));
  its.modified = nanoseconds(modified), its.changed = nanoseconds(changed);
  return its;
}

int64_t read_at(int descriptor, void* to, size_t bytes, uint64_t offset) {
  return again([&] { return pread(descriptor, to, bytes, static_cast<off_t>(offset)); });
}

int64_t write_next(int descriptor, const void* from, size_t bytes) {
  return again([&] { return write(descriptor, from, bytes); });
}

bool finish(int descriptor) {
  const bool flushed = fsync(descriptor) == 0 || errno == EINVAL;
  const int error = errno;
  const bool closed = close(descriptor) == 0;
  if (!flushed) errno = error;
  return flushed && closed;
}

void remove_file(const std::string& path) { unlink(path.c_str()); }

bool no_room(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

std::optional<std::string> resolved(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(realpath(path.c_str(), nullptr), std::free);
  if (!real) return std::nullopt;
  return real.get();
}

#endif

double real_of(std::string_view text) {
  double value = 0;
#if defined(IPA_FROM_CHARS)
  std::from_chars(text.data(), text.data() + text.size(), value);
#else
  static const locale_t plain = newlocale(LC_ALL_MASK, "C", nullptr);
  value = strtod_l(std::string(text).c_str(), nullptr, plain);
  if (std::isinf(value)) value = 0;
#endif
  return value;
}

}  // namespace ipa::system
