#pragma once
// A new file that is whole or not there.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace ipa {

class OutputFile {
 public:
  // OUTPUT_EXISTS where the name is taken; also of a link.
  explicit OutputFile(const std::string& path);
  ~OutputFile();  // removes it unless keep() was called
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(std::span<const std::byte> bytes);  // at the end; OUTPUT_NO_SPACE, OUTPUT_IO
  void keep();                                   // brings it to the disk and closes it

 private:
  [[noreturn]] void failed() const;

  std::string path_;
  int descriptor_ = -1;
};

}  // namespace ipa
