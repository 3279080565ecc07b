#pragma once
// What operating systems and C++ libraries do differently, as far as io needs it: files by descriptor, paths, numbers.
// No other file of io asks which system it is. Paths are UTF-8 everywhere. What fails returns -1, false or nothing and
// sets errno.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ipa::system {

enum class FileKind : uint8_t { regular, directory, pipe, device, other };

// Which file it is, and when it was changed.
struct FileIdentity {
  FileKind kind = FileKind::other;
  uint64_t device = 0, number = 0, links = 0, size = 0;
  int64_t modified = 0, changed = 0;  // in ns, of its bytes and of what the system keeps about it
  bool operator==(const FileIdentity&) const = default;
};

// Of what folders and names in a path are parted by.
extern const char* const kSeparators;

// Waits for nobody, a named pipe without a writer included. Others may rename and remove the file meanwhile.
int open_to_read(const std::string& path);
// A new file; EEXIST where there is one.
int open_new(const std::string& path);
void close_file(int descriptor);
std::optional<FileIdentity> identity(int descriptor);
// At most `bytes`, from byte `offset` on, whatever was read before; 0 at the end.
int64_t read_at(int descriptor, void* to, size_t bytes, uint64_t offset);
int64_t write_next(int descriptor, const void* from, size_t bytes);
// All that was written is on the disk, and the descriptor closed in any case: some file systems say only here that
// there was no room.
bool finish(int descriptor);
void remove_file(const std::string& path);
// Whether errno says that there is no room: on the disk, in a quota, for one file.
bool no_room(int error);
// Absolute and without links; nothing when there is no such file.
std::optional<std::string> resolved(const std::string& path);

// The number of a decimal text of digits, sign, point and exponent, to nearest, whatever the locale; 0 where an f64
// cannot hold it.
double real_of(std::string_view text);

}  // namespace ipa::system
