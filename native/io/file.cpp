#include "io/file.h"

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
  const size_t slash = path.find_last_of(system::kSeparators);
  if (slash == std::string::npos || slash + 1 == path.size()) return path;
  const std::string name = path.substr(slash + 1);
  for (const char* common : {"model.", "pytorch_model.", "diffusion_pytorch_model."}) {
    if (!name.starts_with(common) || slash == 0) continue;
    const size_t before = path.find_last_of(system::kSeparators, slash - 1);
    return before == std::string::npos ? path : path.substr(before + 1);
  }
  return name;
}

const char* kind_text(system::FileKind kind) {
  if (kind == system::FileKind::directory) return "a directory";
  if (kind == system::FileKind::pipe) return "a named pipe";
  if (kind == system::FileKind::device) return "a device";
  return "not a regular file";
}

}  // namespace

File::File(const std::string& path) : path_(path), name_(shown_name(path)) {
  if (path.empty() || path.find('\0') != std::string::npos)
    fail(Code::MODEL_NOT_FOUND, "this cannot be the path of a file", "check the path");
  descriptor_ = system::open_to_read(path);
  if (descriptor_ < 0) {
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR) fail(Code::MODEL_NOT_FOUND, "there is no such file", "check the path");
    fail(Code::MODEL_IO, std::string("cannot be opened: ") + std::strerror(error),
         error == EACCES ? "check the permissions of the file and its folders" : "check the path and the disk");
  }
  if (const auto its = system::identity(descriptor_)) identity_ = *its;
  if (identity_.kind != system::FileKind::regular) {
    system::close_file(descriptor_);
    descriptor_ = -1;
    fail(Code::MODEL_IO, std::string("is ") + kind_text(identity_.kind), "check the path: name a weight file");
  }
  beginning_ = beginning();
}

File::File(const std::string& name, std::vector<std::byte> bytes)
    : path_(name), name_(name), memory_(std::move(bytes)) {
  identity_.size = memory_.size();
}

File::~File() {
  if (descriptor_ >= 0) system::close_file(descriptor_);
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
    const int64_t got = system::read_at(descriptor_, out.data() + done, want, offset + done);
    if (got > 0) {
      done += static_cast<size_t>(got);
    } else if (got == 0) {
      fail(Code::MODEL_CHANGED, "became shorter while it was read", "load it again once the copy is finished");
    } else {
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
  const int64_t got = system::read_at(descriptor_, bytes.data(), bytes.size(), 0);
  bytes.resize(static_cast<size_t>(std::max<int64_t>(got, 0)));
  uint64_t hash = 0xcbf29ce484222325u;
  for (const uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001b3u;
  return hash;
}

void File::check_unchanged() const {
  if (descriptor_ < 0) return;
  const std::optional<system::FileIdentity> found = system::identity(descriptor_);
  if (!found) fail(Code::MODEL_IO, std::string("cannot be examined: ") + std::strerror(errno), "load it again");
  // Renaming another file over this one, or unlinking it, touches `changed` and the link count but no byte that we
  // read.
  system::FileIdentity now = *found;
  const bool relinked = now.links != identity_.links;
  if (relinked) now.links = identity_.links, now.changed = identity_.changed;
  const bool equal = now == identity_ && (!relinked || beginning() == beginning_);
  if (!equal) fail(Code::MODEL_CHANGED, "changed since it was opened", "load it again once the copy is finished");
}

void File::fail(Code code, const std::string& what, const std::string& hint) const {
  ipa::fail(code, quoted(name_) + ": " + what, hint, {{"path", path_}});
}

}  // namespace ipa
