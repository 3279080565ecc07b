#pragma once
// Files made for one test, and what opening them comes to.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "../golden.h"
#include "../test.h"
#include "io/open.h"

namespace ipa::test {

// A folder that goes when the test ends.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "io-test-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  // A new file each time: rewriting one in place makes some file systems wait for the disk.
  std::string write(const std::string& name, const std::string& bytes) const {
    std::filesystem::remove((*this)(name));
    return rewrite(name, bytes);
  }
  std::string rewrite(const std::string& name, const std::string& bytes) const {
    const std::string path = (*this)(name);
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    return path;
  }
  std::string operator()(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline std::string golden_path(const std::string& file) { return (golden_folder() / file).string(); }

inline std::vector<std::byte> read_all(const TensorSource& source, const std::string& name) {
  const TensorInfo& info = source.index.at(name);
  std::vector<std::byte> bytes(dtype_size(info.dtype) * static_cast<size_t>(product(info.dims)));
  source.read(name, 0, bytes);
  return bytes;
}

using Contents = std::map<std::string, std::vector<std::byte>>;

inline Contents read_every(const TensorSource& source) {
  Contents all;
  for (const auto& [name, info] : source.index) all[name] = read_all(source, name);
  return all;
}

inline std::string u64(uint64_t v) { return std::string(reinterpret_cast<const char*>(&v), sizeof v); }
inline std::string safetensors(const std::string& header, size_t data_bytes) {
  return u64(header.size()) + header + std::string(data_bytes, 'x');
}

// Runs `f` and returns the code it fails with; "" when it does not. Codes that may never leave a reader are failures.
inline std::string outcome(const std::string& what, const std::function<void()>& f) {
  try {
    f();
    return "";
  } catch (const Error& e) {
    if (e.hint.empty() || e.code == Code::INTERNAL)
      failed(__FILE__, __LINE__, what + ": " + code_text(e.code) + " " + e.what() + " (" + e.hint + ")");
    if (std::string(e.what()).size() + e.hint.size() > 600)
      failed(__FILE__, __LINE__, what + ": longer than 600 bytes: " + e.what());
    return code_text(e.code);
  }
}

inline std::string opening(const std::string& path) {
  return outcome(path, [&] { read_every(open_weights(path)); });
}

inline std::string message(const std::string& path) {
  try {
    open_weights(path);
  } catch (const Error& e) {
    return std::string(e.what()) + " (" + e.hint + ")";
  }
  return "";
}

inline void expect_outcome(const std::string& name, const std::string& bytes, const std::string& expected) {
  const Folder folder;
  const std::string got = opening(folder.write(name, bytes));
  if (got != expected)
    failed(__FILE__, __LINE__, name + ": " + (got.empty() ? "loaded" : got) + ", expected " + expected);
}

}  // namespace ipa::test
