#pragma once
// Reads the golden tensors of test/golden: trusted files, so without the checks of native/io.
// The folder is IPA_GOLDEN (environment) or IPA_GOLDEN_DIR (compile definition), unless the program sets it.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "core/shape.h"

namespace ipa::test {

// A JSON value. Numbers are doubles; `raw` keeps their text for integers beyond 2^53.
struct Json {
  enum class Kind { null, boolean, number, string, array, object } kind = Kind::null;
  bool boolean = false;
  double number = 0;
  std::string string, raw;
  std::vector<Json> array;
  std::map<std::string, Json> object;

  bool has(const std::string& key) const { return object.contains(key); }
  bool is_null() const { return kind == Kind::null; }
  const Json& operator[](const std::string& key) const {
    const auto found = object.find(key);
    if (found == object.end()) throw std::runtime_error("golden JSON has no key " + key);
    return found->second;
  }
  const Json& operator[](size_t i) const { return array.at(i); }
  int64_t integer() const { return std::stoll(raw); }
  std::vector<double> numbers() const {
    std::vector<double> v;
    for (const Json& item : array) v.push_back(item.number);
    return v;
  }

  static Json parse(const std::string& text) {
    size_t at = 0;
    return value(text, at);
  }

 private:
  static void blank(const std::string& t, size_t& at) {
    while (at < t.size() && std::strchr(" \t\r\n", t[at])) ++at;
  }
  static void utf8(std::string& out, uint32_t c) {
    if (c < 0x80) {
      out += static_cast<char>(c);
    } else if (c < 0x800) {
      out += static_cast<char>(0xc0 | c >> 6);
      out += static_cast<char>(0x80 | (c & 63));
    } else if (c < 0x10000) {
      out += static_cast<char>(0xe0 | c >> 12);
      out += static_cast<char>(0x80 | (c >> 6 & 63));
      out += static_cast<char>(0x80 | (c & 63));
    } else {
      out += static_cast<char>(0xf0 | c >> 18);
      out += static_cast<char>(0x80 | (c >> 12 & 63));
      out += static_cast<char>(0x80 | (c >> 6 & 63));
      out += static_cast<char>(0x80 | (c & 63));
    }
  }
  static std::string quoted(const std::string& t, size_t& at) {
    std::string out;
    for (++at; t.at(at) != '"'; ++at) {
      if (t[at] != '\\') {
        out += t[at];
        continue;
      }
      const char c = t.at(++at);
      if (c == 'u') {
        uint32_t code = static_cast<uint32_t>(std::stoul(t.substr(at + 1, 4), nullptr, 16));
        at += 4;
        if (code >= 0xd800 && code < 0xdc00) {  // a surrogate pair: \uD83D\uDE00
          code = 0x10000 + ((code - 0xd800) << 10) +
                 (static_cast<uint32_t>(std::stoul(t.substr(at + 3, 4), nullptr, 16)) - 0xdc00);
          at += 6;
        }
        utf8(out, code);
      } else {
        out += c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c == 'b' ? '\b' : c == 'f' ? '\f' : c;
      }
    }
    ++at;
    return out;
  }
  static Json value(const std::string& t, size_t& at) {
    Json v;
    blank(t, at);
    const char c = t.at(at);
    if (c == '{') {
      v.kind = Kind::object;
      for (blank(t, ++at); t.at(at) != '}'; blank(t, at)) {
        if (t[at] == ',') blank(t, ++at);
        const std::string key = quoted(t, at);
        blank(t, at);
        v.object[key] = value(t, ++at);
      }
      ++at;
    } else if (c == '[') {
      v.kind = Kind::array;
      for (blank(t, ++at); t.at(at) != ']'; blank(t, at)) {
        if (t[at] == ',') ++at;
        v.array.push_back(value(t, at));
      }
      ++at;
    } else if (c == '"') {
      v.kind = Kind::string;
      v.string = quoted(t, at);
    } else if (c == 't' || c == 'f') {
      v.kind = Kind::boolean;
      v.boolean = c == 't';
      at += c == 't' ? 4 : 5;
    } else if (c == 'n') {
      at += 4;
    } else {
      v.kind = Kind::number;
      const size_t end = t.find_first_of(",]} \t\r\n", at);
      v.raw = t.substr(at, end - at);
      v.number = std::stod(v.raw);
      at = std::min(end, t.size());
    }
    return v;
  }
};

// Where the cases are. The golden runner sets it.
inline std::filesystem::path& golden_folder() {
  static std::filesystem::path folder = [] {
    if (const char* named = std::getenv("IPA_GOLDEN")) return std::filesystem::path(named);
#ifdef IPA_GOLDEN_DIR
    return std::filesystem::path(IPA_GOLDEN_DIR);
#else
    throw std::runtime_error("set IPA_GOLDEN to the folder test/golden");
#endif
  }();
  return folder;
}

// A file of the folder, else of its parent: `models/` lies in either.
inline std::filesystem::path golden_file(const std::string& file) {
  const std::filesystem::path inside = golden_folder() / file;
  return std::filesystem::exists(inside) ? inside : golden_folder().parent_path() / file;
}

inline std::string golden_bytes(const std::string& file) {
  std::ifstream in(golden_file(file), std::ios::binary);
  if (!in) throw std::runtime_error("cannot read golden file " + file);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

inline Json golden_json(const std::string& file) { return Json::parse(golden_bytes(file)); }

// Names without folder and extension of the goldens in `folder` that start with `prefix`, as "folder/name", sorted.
inline std::vector<std::string> golden_names(const std::string& folder, const std::string& prefix) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(golden_folder() / folder))
    if (entry.path().extension() == ".safetensors" && entry.path().filename().string().starts_with(prefix))
      names.push_back(folder + "/" + entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

struct GoldenTensor {
  DType dtype = DType::f32;
  Dims dims;
  std::vector<std::byte> bytes;

  std::vector<float> f32() const {
    std::vector<float> v(static_cast<size_t>(product(dims)));
    to_f32(dtype, bytes.data(), v.data(), v.size());
    return v;
  }
  std::vector<uint8_t> u8() const { return as<uint8_t>(DType::u8); }
  std::vector<uint16_t> u16() const {  // the bits of f16 or bf16
    return as<uint16_t>(dtype == DType::f16 ? DType::f16 : DType::bf16);
  }
  std::vector<int64_t> i64() const { return as<int64_t>(DType::i64); }

 private:
  template <typename T>
  std::vector<T> as(DType wanted) const {
    if (dtype != wanted) throw std::runtime_error(std::string("golden tensor is ") + dtype_text(dtype));
    std::vector<T> v(bytes.size() / sizeof(T));
    if (!v.empty()) std::memcpy(v.data(), bytes.data(), bytes.size());
    return v;
  }
};

// One case: `Golden g("modules/resnet-shortcut")`.
class Golden {
 public:
  explicit Golden(const std::string& name) : name(name) {
    const std::string file = golden_bytes(name + ".safetensors");
    uint64_t length = 0;
    std::memcpy(&length, file.data(), 8);
    const Json header = Json::parse(file.substr(8, length));
    for (const auto& [key, entry] : header.object) {
      if (key == "__metadata__") {
        case_text = entry["case"].string;
        info = Json::parse(case_text);
        continue;
      }
      GoldenTensor& t = tensors[key];
      t.dtype = dtype_from_text(entry["dtype"].string);
      for (double d : entry["shape"].numbers()) t.dims.push_back(static_cast<int64_t>(d));
      const size_t first = 8 + length + static_cast<size_t>(entry["data_offsets"][0].integer());
      const size_t last = 8 + length + static_cast<size_t>(entry["data_offsets"][1].integer());
      const std::byte* bytes = reinterpret_cast<const std::byte*>(file.data());
      t.bytes.assign(bytes + first, bytes + last);
    }
  }

  bool has(const std::string& key) const { return tensors.contains(key); }
  const GoldenTensor& operator[](const std::string& key) const {
    const auto found = tensors.find(key);
    if (found == tensors.end()) throw std::runtime_error("golden " + name + " has no tensor " + key);
    return found->second;
  }
  // The limit relative to the rms of an output: tolerance("f32") * rms("out/y") bounds max|a - b|.
  double tolerance(const std::string& key = "f32") const { return info["tolerance"][key].number; }
  double rms(const std::string& key) const { return info["rms"][key].number; }

  std::string name, case_text;
  Json info;  // the metadata entry `case`
  std::map<std::string, GoldenTensor> tensors;
};

}  // namespace ipa::test
