#include "io/zip.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "io/bytes.h"
#include "io/checked.h"

namespace ipa {

namespace {

// source: PKWARE APPNOTE 6.3.10
constexpr uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr size_t kLocalBytes = 30, kCentralBytes = 46, kEndBytes = 22, kEnd64Bytes = 56, kLocator64Bytes = 20;
constexpr uint32_t kIn64 = 0xFFFFFFFFu;  // "see the 64-bit field"
constexpr uint16_t kIn64Short = 0xFFFFu;
constexpr uint16_t kEncrypted = 1, kSizesFollow = 8, kStrongEncryption = 64, kHiddenHeaders = 1 << 13;
constexpr uint64_t kMostEntries = 200'000, kLargestDirectory = uint64_t{64} << 20;
constexpr const char* kResave =
    "load it where you trust it and save it again with torch.save, or use the .safetensors version";

[[noreturn]] void refuse(const File& file, const std::string& what) {
  file.fail(Code::MODEL_ZIP_INVALID, what, kResave);
}

struct Directory {
  uint64_t offset, bytes, entries;
};

// The 64-bit end record, if there is one, ends where its locator begins and that where the plain end record begins.
Directory find_directory(const File& file) {
  const uint64_t tail_bytes = std::min<uint64_t>(file.size(), kEndBytes + 0xFFFF);
  const uint64_t tail_start = file.size() - tail_bytes;
  const std::string tail = file.read_text(tail_start, tail_bytes);
  const size_t found = tail.rfind("PK\5\6");
  if (found == std::string::npos || tail.size() - found < kEndBytes)
    file.fail(Code::MODEL_TRUNCATED,
              "the end record of the zip archive is missing after " + std::to_string(file.size()) + " bytes",
              "the download did not finish; fetch the file again");
  const char* end = tail.data() + found;
  const uint64_t end_at = tail_start + found;
  if (tail.size() - found != kEndBytes || load<uint16_t>(end + 20) != 0)
    refuse(file, std::to_string(tail.size() - found - kEndBytes) + " bytes follow the end record of the zip archive");
  for (const char* disk : {end + 4, end + 6})
    if (load<uint16_t>(disk) != 0 && load<uint16_t>(disk) != kIn64Short)
      refuse(file, "is one part of a split zip archive");
  if (load<uint16_t>(end + 8) != load<uint16_t>(end + 10))
    refuse(file, "its end record counts entries twice and differently");
  Directory d{load<uint32_t>(end + 16), load<uint32_t>(end + 12), load<uint16_t>(end + 10)};
  uint64_t directory_end = end_at;

  if (end_at >= kLocator64Bytes + kEnd64Bytes) {
    const std::string locator = file.read_text(end_at - kLocator64Bytes, kLocator64Bytes);
    if (load<uint32_t>(locator.data()) == kLocator64) {
      const uint64_t record_at = load<uint64_t>(locator.data() + 8);
      if (!inside(record_at, kEnd64Bytes, end_at - kLocator64Bytes))
        refuse(file, "its ZIP64 locator points outside the file");
      const std::string record = file.read_text(record_at, kEnd64Bytes);
      if (load<uint32_t>(record.data()) != kEnd64) refuse(file, "its ZIP64 locator points at something else");
      if (load<uint64_t>(record.data() + 4) != end_at - kLocator64Bytes - record_at - 12)
        refuse(file, "its ZIP64 end record has the wrong length");
      const Directory d64{load<uint64_t>(record.data() + 48), load<uint64_t>(record.data() + 40),
                          load<uint64_t>(record.data() + 32)};
      if (load<uint64_t>(record.data() + 24) != d64.entries)
        refuse(file, "its ZIP64 end record counts entries twice and differently");
      const bool agree = (d.offset == kIn64 || d.offset == d64.offset) && (d.bytes == kIn64 || d.bytes == d64.bytes) &&
                         (d.entries == kIn64Short || d.entries == d64.entries);
      if (!agree) refuse(file, "its two end records disagree");
      d = d64;
      directory_end = record_at;
    }
  }
  const auto stop = checked_add(d.offset, d.bytes);
  if (!stop || *stop != directory_end)
    refuse(file, "its central directory of " + std::to_string(d.bytes) + " bytes at " + std::to_string(d.offset) +
                     " does not end at its end record at " + std::to_string(directory_end));
  if (d.entries > kMostEntries || d.bytes > kLargestDirectory)
    file.fail(Code::MODEL_LIMIT, "lists " + std::to_string(d.entries) + " zip members; the limit is 200,000", kResave);
  return d;
}

// Replaces each number that says "see the 64-bit field" by that field, in the order given.
void read_extra64(const File& file, std::string_view extra, const std::string& name,
                  std::initializer_list<uint64_t*> numbers) {
  std::string_view fields;
  while (extra.size() >= 4) {
    const uint16_t id = load<uint16_t>(extra.data()), length = load<uint16_t>(extra.data() + 2);
    if (length > extra.size() - 4) refuse(file, "the extra field of zip member " + quoted(name) + " is too short");
    if (id == 1) fields = extra.substr(4, length);
    extra.remove_prefix(size_t{4} + length);
  }
  for (uint64_t* number : numbers) {
    if (*number != kIn64 || fields.size() < 8) continue;
    *number = load<uint64_t>(fields.data());
    fields.remove_prefix(8);
  }
}

void check_name(const File& file, const std::string& name) {
  const auto bad = [&] { refuse(file, "zip member " + quoted(name) + " has a name that leads out of the archive"); };
  if (name.empty() || name[0] == '/' || name.find('\\') != std::string::npos || name.find('\0') != std::string::npos)
    bad();
  if (name.size() >= 2 && name[1] == ':') bad();
  for (size_t start = 0; start <= name.size();) {
    const size_t slash = std::min(name.find('/', start), name.size());
    if (std::string_view(name).substr(start, slash - start) == "..") bad();
    start = slash + 1;
  }
}

struct Member {
  ZipEntry entry;
  uint16_t flags = 0, method = 0;
  uint64_t header_at = 0;
};

Member read_central(const File& file, std::string_view& directory) {
  if (directory.size() < kCentralBytes || load<uint32_t>(directory.data()) != kCentral)
    refuse(file, "its central directory lists fewer members than its end record says");
  const char* h = directory.data();
  const size_t name_bytes = load<uint16_t>(h + 28), extra_bytes = load<uint16_t>(h + 30),
               comment_bytes = load<uint16_t>(h + 32);
  if (directory.size() - kCentralBytes < name_bytes + extra_bytes + comment_bytes)
    refuse(file, "a record of its central directory is longer than the directory");
  Member m;
  m.entry.name = directory.substr(kCentralBytes, name_bytes);
  check_name(file, m.entry.name);
  m.flags = load<uint16_t>(h + 8);
  m.method = load<uint16_t>(h + 10);
  m.entry.crc = load<uint32_t>(h + 16);
  uint64_t packed = load<uint32_t>(h + 20);
  m.entry.size = load<uint32_t>(h + 24);
  m.header_at = load<uint32_t>(h + 42);
  read_extra64(file, directory.substr(kCentralBytes + name_bytes, extra_bytes), m.entry.name,
               {&m.entry.size, &packed, &m.header_at});
  if (m.flags & (kEncrypted | kStrongEncryption | kHiddenHeaders))
    refuse(file, "zip member " + quoted(m.entry.name) + " is encrypted");
  if (m.method != 0) refuse(file, "zip member " + quoted(m.entry.name) + " is compressed, which torch.save never does");
  if (packed != m.entry.size) refuse(file, "zip member " + quoted(m.entry.name) + " is stored but has two sizes");
  directory.remove_prefix(kCentralBytes + name_bytes + extra_bytes + comment_bytes);
  return m;
}

// Compares the local header with the central record and finds the first data byte.
void read_local(const File& file, Member& m, uint64_t directory_at) {
  const std::string& name = m.entry.name;
  const auto disagree = [&](const char* field) {
    refuse(file, std::string("the local header and the central directory disagree about the ") + field +
                     " of zip member " + quoted(name));
  };
  if (!inside(m.header_at, kLocalBytes + name.size(), directory_at))
    refuse(file, "zip member " + quoted(name) + " lies outside the file");
  const std::string header = file.read_text(m.header_at, kLocalBytes + name.size());
  const char* h = header.data();
  if (load<uint32_t>(h) != kLocal) refuse(file, "zip member " + quoted(name) + " has no local header");
  if (load<uint16_t>(h + 26) != name.size() || std::string_view(header).substr(kLocalBytes) != name) disagree("name");
  if (load<uint16_t>(h + 6) != m.flags) disagree("flags");
  if (load<uint16_t>(h + 8) != m.method) disagree("method");
  const uint16_t extra_bytes = load<uint16_t>(h + 28);
  if (!inside(m.header_at + kLocalBytes + name.size(), extra_bytes, directory_at))
    refuse(file, "zip member " + quoted(name) + " lies outside the file");

  const uint32_t crc = load<uint32_t>(h + 14);
  uint64_t packed = load<uint32_t>(h + 18), size = load<uint32_t>(h + 22);
  if (packed == kIn64 || size == kIn64)
    read_extra64(file, file.read_text(m.header_at + kLocalBytes + name.size(), extra_bytes), name, {&size, &packed});
  // A writer that does not know them yet leaves zeros here and repeats them behind the data.
  const bool later = (m.flags & kSizesFollow) != 0;
  if (crc != m.entry.crc && !(later && crc == 0)) disagree("checksum");
  for (uint64_t s : {size, packed})
    if (s != m.entry.size && !(later && (s == 0 || s == kIn64))) disagree("size");

  m.entry.offset = m.header_at + kLocalBytes + name.size() + extra_bytes;
  if (!inside(m.entry.offset, m.entry.size, directory_at))
    refuse(file, "zip member " + quoted(name) + " of " + std::to_string(m.entry.size) +
                     " bytes reaches into the central directory");
}

void check_apart(const File& file, const std::vector<Member>& members) {
  std::vector<const Member*> sorted;
  for (const Member& m : members) sorted.push_back(&m);
  std::sort(sorted.begin(), sorted.end(), [](const Member* a, const Member* b) { return a->header_at < b->header_at; });
  if (!sorted.empty() && sorted[0]->header_at != 0)
    refuse(file, std::to_string(sorted[0]->header_at) + " bytes stand before the first zip member");
  for (size_t i = 1; i < sorted.size(); ++i) {
    const ZipEntry& before = sorted[i - 1]->entry;
    if (sorted[i]->header_at < before.offset + before.size)
      refuse(file, "zip members " + quoted(before.name) + " and " + quoted(sorted[i]->entry.name) + " overlap");
  }
}

constexpr std::array<uint32_t, 256> crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = c & 1 ? c >> 1 ^ 0xEDB88320u : c >> 1;
    table[i] = c;
  }
  return table;
}

}  // namespace

uint32_t crc32(std::span<const std::byte> bytes) noexcept {
  static constexpr std::array<uint32_t, 256> kTable = crc_table();
  uint32_t c = ~0u;
  for (std::byte b : bytes) c = c >> 8 ^ kTable[(c ^ static_cast<uint32_t>(b)) & 0xFF];
  return ~c;
}

std::vector<ZipEntry> zip_entries(const File& file) {
  const Directory d = find_directory(file);
  const std::string bytes = file.read_text(d.offset, d.bytes);
  std::string_view directory = bytes;
  std::vector<Member> members;
  std::set<std::string_view> names;
  members.reserve(std::min<uint64_t>(d.entries, d.bytes / kCentralBytes));
  for (uint64_t i = 0; i < d.entries; ++i) {
    members.push_back(read_central(file, directory));
    read_local(file, members.back(), d.offset);
  }
  if (!directory.empty()) refuse(file, "its central directory lists more members than its end record says");
  for (const Member& m : members)
    if (!names.insert(m.entry.name).second) refuse(file, "zip member " + quoted(m.entry.name) + " exists twice");
  check_apart(file, members);
  std::vector<ZipEntry> entries;
  for (Member& m : members) entries.push_back(std::move(m.entry));
  return entries;
}

}  // namespace ipa
