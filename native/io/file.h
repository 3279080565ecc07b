#pragma once
// One open regular file. Opened once and never again by name; read at offsets, because a mapped file that shrinks kills
// the process and no handler in JavaScript can stop that.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "io/system.h"

namespace ipa {

class File {
 public:
  // Missing: MODEL_NOT_FOUND. Directory, FIFO, device, socket, no permission: MODEL_IO, without waiting for anybody.
  explicit File(const std::string& path);
  // Bytes that are in memory already, under a name for messages.
  File(const std::string& name, std::vector<std::byte> bytes);
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  const std::string& path() const noexcept { return path_; }
  const std::string& name() const noexcept { return name_; }  // for messages
  uint64_t size() const noexcept { return identity_.size; }   // bytes, when opened

  // Fills `out` from byte `offset` on or throws: MODEL_TRUNCATED past the end, MODEL_CHANGED, MODEL_IO.
  void read(uint64_t offset, std::span<std::byte> out) const;
  std::string read_text(uint64_t offset, uint64_t length) const;
  // MODEL_CHANGED when size or times differ from those at open; where a link to the file came or went, whose time is
  // that of the file's own, when its beginning differs. Call after the last byte of a piece was read.
  void check_unchanged() const;
  // Throws with the file's name before the sentence and its path in the details.
  [[noreturn]] void fail(Code code, const std::string& what, const std::string& hint) const;

 private:
  uint64_t beginning() const;                            // FNV-1a over its first bytes
  void require(uint64_t offset, uint64_t length) const;  // MODEL_TRUNCATED unless the range lies inside the file

  std::string path_, name_;
  int descriptor_ = -1;  // none: memory_
  std::vector<std::byte> memory_;
  system::FileIdentity identity_;
  uint64_t beginning_ = 0;
};

}  // namespace ipa
