#pragma once
// Zip archives as torch.save writes them: stored members only. The central directory rules, but every local header must
// agree with it, so that no two readers can see different members.
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/file.h"

namespace ipa {

struct ZipEntry {
  std::string name;
  uint64_t offset = 0;  // of the first data byte in the file
  uint64_t size = 0;    // bytes
  uint32_t crc = 0;
};

// In the order of the central directory. MODEL_TRUNCATED without its end record, MODEL_ZIP_INVALID otherwise.
std::vector<ZipEntry> zip_entries(const File& file);

uint32_t crc32(std::span<const std::byte> bytes) noexcept;  // as zip counts it

}  // namespace ipa
