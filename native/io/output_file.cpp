#include "io/output_file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/error.h"
#include "io/system.h"

namespace ipa {

OutputFile::OutputFile(const std::string& path) : path_(path) {
  descriptor_ = system::open_new(path);
  if (descriptor_ < 0) failed();
}

OutputFile::~OutputFile() {
  if (descriptor_ < 0) return;
  system::close_file(descriptor_);
  system::remove_file(path_);
}

void OutputFile::write(std::span<const std::byte> bytes) {
  constexpr size_t kMost = size_t{64} << 20;  // bytes given to the system at once
  while (!bytes.empty()) {
    const int64_t count = system::write_next(descriptor_, bytes.data(), std::min(bytes.size(), kMost));
    if (count < 0) failed();
    bytes = bytes.subspan(static_cast<size_t>(count));
  }
}

void OutputFile::keep() {
  const int descriptor = descriptor_;
  descriptor_ = -1;
  if (system::finish(descriptor)) return;
  const int error = errno;
  system::remove_file(path_);
  errno = error;
  failed();
}

void OutputFile::failed() const {
  const int error = errno;
  const Error::Details details = {{"path", path_}, {"errno", std::strerror(error)}};
  if (error == EEXIST) fail(Code::OUTPUT_EXISTS, quoted(path_) + " exists", "give another name", details);
  if (system::no_room(error))
    fail(Code::OUTPUT_NO_SPACE, "there is no room for " + quoted(path_) + ": " + std::strerror(error),
         "free some space, or write elsewhere", details);
  fail(Code::OUTPUT_IO, quoted(path_) + " cannot be written: " + std::strerror(error),
       "check the folder and its permissions", details);
}

}  // namespace ipa
