#include "io/safetensors.h"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <vector>

#include "io/bytes.h"
#include "io/checked.h"
#include "io/json.h"

namespace ipa {

namespace {

using Token = JsonReader::Token;

constexpr size_t kDepth = 4;
constexpr uint64_t kLongestMetadata = uint64_t{16} << 20;  // bytes, names and values together
constexpr int64_t kLargestNumber = int64_t{1} << 53;       // beyond it a reader that uses doubles sees another number
constexpr const char* kDamaged = "the file is damaged; download it again";

// Types that the format knows and this library does not compute with. They may lie in a file as long as nobody reads
// them.
constexpr std::string_view kForeignTypes[] = {"F4",          "F6_E2M3", "F6_E3M2", "F8_E8M0", "F8_E4M3FNUZ",
                                              "F8_E5M2FNUZ", "I4",      "U4",      "I2",      "U2"};

struct Entry {
  std::string name, dtype;
  TensorInfo info;
  uint64_t begin = 0, end = 0;  // bytes in the data section
};

struct Header {
  std::vector<Entry> entries;
  std::map<std::string, std::string> metadata;
};

int64_t size_number(const JsonReader& json, Token token, const char* what) {
  if (token != Token::integer || json.integer() < 0 || json.integer() > kLargestNumber)
    json.fail(std::string(what) + " must be a whole number from 0 to 2^53");
  return json.integer();
}

// A value of another kind is read to its end first: nested too deeply, it is a limit and not a mistake.
void expect(JsonReader& json, Token wanted, const std::string& complaint) {
  const Token token = json.next();
  if (token == wanted) return;
  json.skip(token);
  json.fail(complaint);
}

void read_metadata(JsonReader& json, Header& header) {
  expect(json, Token::begin_object, "__metadata__ must be an object");
  uint64_t total = 0;
  while (json.next() == Token::key) {
    std::string key = json.take_text();
    if (json.next() != Token::text) json.fail("the value of __metadata__ " + quoted(key) + " must be a string");
    total += key.size() + json.text().size();
    if (total > kLongestMetadata) json.fail("__metadata__ holds more than 16 MiB", Code::MODEL_LIMIT);
    std::string value = json.take_text();
    if (!header.metadata.emplace(key, std::move(value)).second)
      json.fail("__metadata__ names " + quoted(key) + " twice");
  }
}

Dims read_shape(JsonReader& json, const std::string& name) {
  Dims dims;
  expect(json, Token::begin_array, "the shape of " + quoted(name) + " must be a list");
  for (Token token; (token = json.next()) != Token::end_array;) {
    if (dims.size() == kMostDimensions)
      json.fail("tensor " + quoted(name) + " has more than 8 dimensions", Code::MODEL_LIMIT);
    dims.push_back(size_number(json, token, "a dimension"));
  }
  return dims;
}

Entry read_entry(JsonReader& json, std::string name) {
  Entry entry;
  entry.name = std::move(name);
  bool dtype = false, shape = false, offsets = false;
  const auto once = [&](bool& seen, const char* field) {
    if (seen) json.fail("tensor " + quoted(entry.name) + " gives " + field + " twice");
    seen = true;
  };
  expect(json, Token::begin_object, "the entry of tensor " + quoted(entry.name) + " must be an object");
  while (json.next() == Token::key) {
    const std::string field = json.take_text();
    if (field == "dtype") {
      once(dtype, "dtype");
      if (json.next() != Token::text) json.fail("the dtype of " + quoted(entry.name) + " must be a string");
      entry.dtype = json.take_text();
    } else if (field == "shape") {
      once(shape, "shape");
      entry.info.dims = read_shape(json, entry.name);
    } else if (field == "data_offsets") {
      once(offsets, "data_offsets");
      expect(json, Token::begin_array, "data_offsets must be a list");
      entry.begin = static_cast<uint64_t>(size_number(json, json.next(), "an offset"));
      entry.end = static_cast<uint64_t>(size_number(json, json.next(), "an offset"));
      if (json.next() != Token::end_array) json.fail("data_offsets must hold two numbers");
    } else {
      json.skip(json.next());  // fields of later versions
    }
  }
  if (!dtype || !shape || !offsets)
    json.fail("tensor " + quoted(entry.name) + " lacks " + (!dtype ? "dtype" : !shape ? "shape" : "data_offsets"));
  return entry;
}

Header read_header(JsonReader& json) {
  Header header;
  bool metadata = false;
  expect(json, Token::begin_object, "the header must be an object");
  while (json.next() == Token::key) {
    std::string name = json.take_text();
    if (name == "__metadata__") {
      if (metadata) json.fail("\"__metadata__\" stands twice in the header");
      metadata = true;
      read_metadata(json, header);
      continue;
    }
    if (name.size() > kLongestTensorName)
      json.fail("a tensor name of " + std::to_string(name.size()) + " bytes, " + quoted(name) + ",", Code::MODEL_LIMIT);
    if (header.entries.size() == kMostTensors) json.fail("more than 200,000 tensors", Code::MODEL_LIMIT);
    header.entries.push_back(read_entry(json, std::move(name)));
  }
  json.next();  // blanks up to the end, or an error
  return header;
}

void check_size(const File& file, Entry& entry) {
  if (entry.begin > entry.end)
    file.fail(Code::MODEL_HEADER_INVALID, "tensor " + quoted(entry.name) + " ends before it begins", kDamaged);
  entry.info.dtype = dtype_from_text(entry.dtype);
  if (entry.info.dtype == DType::unknown) {
    if (std::find(std::begin(kForeignTypes), std::end(kForeignTypes), entry.dtype) == std::end(kForeignTypes))
      file.fail(Code::TENSOR_DTYPE, "tensor " + quoted(entry.name) + " has the unknown type " + quoted(entry.dtype),
                "convert the file to F16, BF16 or F32");
    return;
  }
  const auto bytes = checked_bytes(entry.info.dims, dtype_size(entry.info.dtype));
  if (!bytes || *bytes != entry.end - entry.begin)
    file.fail(Code::MODEL_HEADER_INVALID,
              "tensor " + quoted(entry.name) + " of type " + entry.dtype + " and shape " + text(entry.info.dims) +
                  " needs " + (bytes ? std::to_string(*bytes) : "more than 2^63") + " bytes but has " +
                  std::to_string(entry.end - entry.begin),
              kDamaged);
}

// Sorted by place, the tensors must follow each other without hole or overlap up to the end of the file.
void check_tiling(const File& file, std::vector<Entry>& entries, uint64_t data_bytes) {
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  uint64_t at = 0;
  const Entry* before = nullptr;
  for (const Entry& entry : entries) {
    if (entry.begin != at) {
      const std::string neighbour = before ? "tensor " + quoted(before->name) : "the header";
      file.fail(Code::MODEL_HEADER_INVALID,
                "tensor " + quoted(entry.name) + " begins at " + std::to_string(entry.begin) +
                    (entry.begin > at ? ", leaving a hole after " : ", overlapping ") + neighbour + ", which ends at " +
                    std::to_string(at),
                kDamaged);
    }
    at = entry.end;
    before = &entry;
  }
  if (at > data_bytes) {
    const uint64_t start = file.size() - data_bytes;
    file.fail(Code::MODEL_TRUNCATED,
              "has " + std::to_string(file.size()) + " of " + std::to_string(start + at) + " bytes",
              "download the file again");
  }
  if (at < data_bytes)
    file.fail(Code::MODEL_HEADER_INVALID,
              std::to_string(data_bytes - at) + " bytes follow the last tensor" +
                  (before ? " " + quoted(before->name) : std::string()),
              kDamaged);
}

struct Place {
  uint64_t offset, bytes;  // in the file
  std::string dtype;
};

}  // namespace

TensorSource open_safetensors(std::shared_ptr<const File> file) {
  if (file->size() < 8)
    file->fail(Code::MODEL_TRUNCATED, "has " + std::to_string(file->size()) + " bytes, fewer than its length field",
               "download the file again");
  uint64_t length = 0;
  file->read(0, std::as_writable_bytes(std::span(&length, 1)));
  if (length == 0) file->fail(Code::MODEL_HEADER_INVALID, "its header has 0 bytes", kDamaged);
  if (length > kLongestSafetensorsHeader)
    file->fail(Code::MODEL_LIMIT, "claims a header of " + std::to_string(length) + " bytes; the limit is 32 MiB",
               kDamaged);
  if (length > file->size() - 8)
    file->fail(
        Code::MODEL_TRUNCATED,
        "has " + std::to_string(file->size()) + " bytes of at least " + std::to_string(8 + length) + " for its header",
        "download the file again");
  const std::string json = file->read_text(8, length);

  TensorSource source;
  source.label = file->name();
  if (json[0] != '{')
    source.warnings.emplace_back(code_text(Code::MODEL_HEADER_INVALID),
                                 quoted(file->name()) + ": blanks before the header");
  JsonReader reader(json, file->name(), kDepth);
  Header header = read_header(reader);
  for (Entry& entry : header.entries) {
    check_size(*file, entry);
    // Two entries of one name may even be the same range; readers would differ in which one they see.
    if (!source.index.emplace(entry.name, std::move(entry.info)).second)
      file->fail(Code::MODEL_HEADER_INVALID, "names tensor " + quoted(entry.name) + " twice", kDamaged);
  }
  check_tiling(*file, header.entries, file->size() - 8 - length);

  auto places = std::make_shared<std::map<std::string, Place, std::less<>>>();
  for (Entry& entry : header.entries)
    places->emplace(std::move(entry.name),
                    Place{8 + length + entry.begin, entry.end - entry.begin, std::move(entry.dtype)});
  source.metadata = std::move(header.metadata);
  file->check_unchanged();

  source.read = [file, places](const std::string& name, uint64_t first, std::span<std::byte> out) {
    const auto found = places->find(name);
    if (found == places->end())
      file->fail(Code::TENSOR_MISSING, "has no tensor " + quoted(name), "check that this is the right file");
    const Place& place = found->second;
    if (dtype_from_text(place.dtype) == DType::unknown)
      file->fail(Code::TENSOR_DTYPE,
                 "tensor " + quoted(name) + " has type " + place.dtype + ", which cannot be used as weights",
                 "convert the file to F16, BF16 or F32");
    if (!inside(first, out.size(), place.bytes))
      file->fail(Code::INTERNAL, "tensor " + quoted(name) + " was asked for with a wrong size", "report this as a bug");
    file->read(place.offset + first, out);
    file->check_unchanged();
  };
  return source;
}

TensorSource open_safetensors(const std::string& path) { return open_safetensors(std::make_shared<const File>(path)); }

}  // namespace ipa
