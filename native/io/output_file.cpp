#include "io/output_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/error.h"

namespace ipa {

OutputFile::OutputFile(const std::string& path) : path_(path) {
  do {
    descriptor_ = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && errno == EINTR);
  if (descriptor_ < 0) failed();
}

OutputFile::~OutputFile() {
  if (descriptor_ < 0) return;
  close(descriptor_);
  unlink(path_.c_str());
}

void OutputFile::write(std::span<const std::byte> bytes) {
  constexpr size_t kMost = size_t{64} << 20;  // bytes given to the system at once
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor_, bytes.data(), std::min(bytes.size(), kMost));
    if (count >= 0)
      bytes = bytes.subspan(static_cast<size_t>(count));
    else if (errno != EINTR)
      failed();
  }
}

void OutputFile::keep() {
  // trap: some file systems say only here, or at the close, that there was no room.
  if (fsync(descriptor_) != 0 && errno != EINVAL) failed();
  const int descriptor = descriptor_;
  descriptor_ = -1;
  if (close(descriptor) == 0) return;
  const int error = errno;
  unlink(path_.c_str());
  errno = error;
  failed();
}

void OutputFile::failed() const {
  const int error = errno;
  const Error::Details details = {{"path", path_}, {"errno", std::strerror(error)}};
  if (error == EEXIST) fail(Code::OUTPUT_EXISTS, quoted(path_) + " exists", "give another name", details);
  if (error == ENOSPC || error == EDQUOT || error == EFBIG)
    fail(Code::OUTPUT_NO_SPACE, "there is no room for " + quoted(path_) + ": " + std::strerror(error),
         "free some space, or write elsewhere", details);
  fail(Code::OUTPUT_IO, quoted(path_) + " cannot be written: " + std::strerror(error),
       "check the folder and its permissions", details);
}

}  // namespace ipa
