#include "io/file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "io/checked.h"

namespace ipa {

namespace {

constexpr size_t kBeginning = size_t{64} << 10;    // bytes that tell files apart: a header, or most of it
constexpr size_t kLongestRead = size_t{64} << 20;  // bytes asked from the system at once

// The last component of a path; where all parts of a model call their files alike, with the folder that tells them
// apart.
std::string shown_name(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos || slash + 1 == path.size()) return path;
  const std::string name = path.substr(slash + 1);
  for (const char* common : {"model.", "pytorch_model.", "diffusion_pytorch_model."}) {
    if (!name.starts_with(common) || slash == 0) continue;
    const size_t before = path.find_last_of('/', slash - 1);
    return before == std::string::npos ? path : path.substr(before + 1);
  }
  return name;
}

bool same(const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

const char* kind_text(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a named pipe";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  return "not a regular file";
}

}  // namespace

File::File(const std::string& path) : path_(path), name_(shown_name(path)) {
  if (path.empty() || path.find('\0') != std::string::npos)
    fail(Code::MODEL_NOT_FOUND, "this cannot be the path of a file", "check the path");
  // O_NONBLOCK: a named pipe without a writer answers at once and is refused below.
  do {
    descriptor_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  } while (descriptor_ < 0 && errno == EINTR);
  if (descriptor_ < 0) {
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR) fail(Code::MODEL_NOT_FOUND, "there is no such file", "check the path");
    fail(Code::MODEL_IO, std::string("cannot be opened: ") + std::strerror(error),
         error == EACCES ? "check the permissions of the file and its folders" : "check the path and the disk");
  }
  if (fstat(descriptor_, &identity_) != 0 || !S_ISREG(identity_.st_mode) || identity_.st_size < 0) {
    const mode_t mode = identity_.st_mode;
    close(descriptor_);
    descriptor_ = -1;
    fail(Code::MODEL_IO, std::string("is ") + kind_text(mode), "check the path: name a weight file");
  }
  beginning_ = beginning();
}

File::File(const std::string& name, std::vector<std::byte> bytes)
    : path_(name), name_(name), memory_(std::move(bytes)) {
  identity_.st_size = static_cast<off_t>(memory_.size());
}

File::~File() {
  if (descriptor_ >= 0) close(descriptor_);
}

void File::require(uint64_t offset, uint64_t length) const {
  if (inside(offset, length, size())) return;
  fail(Code::MODEL_TRUNCATED,
       "has " + std::to_string(size()) + " bytes but " + std::to_string(length) + " are wanted at byte " +
           std::to_string(offset),
       "download the file again");
}

void File::read(uint64_t offset, std::span<std::byte> out) const {
  require(offset, out.size());
  if (descriptor_ < 0) {
    std::copy_n(memory_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
    return;
  }
  size_t done = 0;
  while (done < out.size()) {
    const size_t want = std::min(out.size() - done, kLongestRead);
    const ssize_t got = pread(descriptor_, out.data() + done, want, static_cast<off_t>(offset + done));
    if (got > 0) {
      done += static_cast<size_t>(got);
    } else if (got == 0) {
      fail(Code::MODEL_CHANGED, "became shorter while it was read", "load it again once the copy is finished");
    } else if (errno != EINTR) {
      fail(Code::MODEL_IO, "reading at byte " + std::to_string(offset + done) + " failed: " + std::strerror(errno),
           "check the disk or the network drive, then load again");
    }
  }
}

std::string File::read_text(uint64_t offset, uint64_t length) const {
  require(offset, length);  // before the allocation: a claimed length costs nothing
  std::string text(length, '\0');
  read(offset, std::as_writable_bytes(std::span(text)));
  return text;
}

uint64_t File::beginning() const {
  std::vector<uint8_t> bytes(std::min<uint64_t>(size(), kBeginning));
  const ssize_t got = pread(descriptor_, bytes.data(), bytes.size(), 0);
  bytes.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
  uint64_t hash = 0xcbf29ce484222325u;
  for (const uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3u;
  return hash;
}

void File::check_unchanged() const {
  if (descriptor_ < 0) return;
  struct stat now = {};
  if (fstat(descriptor_, &now) != 0)
    fail(Code::MODEL_IO, std::string("cannot be examined: ") + std::strerror(errno), "load it again");
  // Renaming another file over this one, or unlinking it, touches ctime and the link count but no byte that we read.
  const bool relinked = now.st_nlink != identity_.st_nlink;
  const bool equal = now.st_dev == identity_.st_dev && now.st_ino == identity_.st_ino &&
                     now.st_size == identity_.st_size && same(now.st_mtim, identity_.st_mtim) &&
                     (relinked ? beginning() == beginning_ : same(now.st_ctim, identity_.st_ctim));
  if (!equal) fail(Code::MODEL_CHANGED, "changed since it was opened", "load it again once the copy is finished");
}

void File::fail(Code code, const std::string& what, const std::string& hint) const {
  ipa::fail(code, quoted(name_) + ": " + what, hint, {{"path", path_}});
}

}  // namespace ipa
