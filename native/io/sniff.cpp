#include "io/sniff.h"

#include <algorithm>
#include <cctype>
#include <string_view>

#include "io/bytes.h"
#include "io/json.h"
#include "io/safetensors.h"

namespace ipa {

namespace {

using namespace std::string_view_literals;

constexpr size_t kHead = 512;              // bytes that decide
constexpr uint64_t kLongestPage = 65'536;  // bytes of a page or an answer searched for a title or a message

struct Signature {
  size_t at;  // byte
  std::string_view bytes;
  Code code;
  const char* what;
  const char* hint;
};

constexpr const char* kUnpack = "unpack it first and name the weight file inside";
constexpr const char* kNameWeights = "name a .safetensors, .bin, .pt, .ckpt or .onnx file";

constexpr Signature kSignatures[] = {
    {0, "\x1f\x8b"sv, Code::MODEL_FORMAT_UNSUPPORTED, "a gzip archive", kUnpack},
    {0,
     "\xfd"
     "7zXZ\0"sv,
     Code::MODEL_FORMAT_UNSUPPORTED, "an xz archive", kUnpack},
    {0, "\x28\xb5\x2f\xfd"sv, Code::MODEL_FORMAT_UNSUPPORTED, "a zstd archive", kUnpack},
    {0, "BZh"sv, Code::MODEL_FORMAT_UNSUPPORTED, "a bzip2 archive", kUnpack},
    {0, "7z\xbc\xaf\x27\x1c"sv, Code::MODEL_FORMAT_UNSUPPORTED, "a 7z archive", kUnpack},
    {0, "Rar!\x1a\x07"sv, Code::MODEL_FORMAT_UNSUPPORTED, "a rar archive", kUnpack},
    {257, "ustar"sv, Code::MODEL_FORMAT_UNSUPPORTED,
     "a tar archive (a folder of files, or a PyTorch file from before 2017)",
     "unpack it, or load and save the old file again with a current PyTorch"},
    {0, "\x89PNG\r\n\x1a\n"sv, Code::MODEL_NOT_A_MODEL, "a PNG picture", kNameWeights},
    {0, "\xff\xd8\xff"sv, Code::MODEL_NOT_A_MODEL, "a JPEG picture", kNameWeights},
    {0, "GIF8"sv, Code::MODEL_NOT_A_MODEL, "a GIF picture", kNameWeights},
    {0, "RIFF"sv, Code::MODEL_NOT_A_MODEL, "a WebP picture or a sound file", kNameWeights},
    {0, "%PDF-"sv, Code::MODEL_NOT_A_MODEL, "a PDF document", kNameWeights},
    {0,
     "\x7f"
     "ELF"sv,
     Code::MODEL_NOT_A_MODEL, "a program", kNameWeights},
    {0, "MZ"sv, Code::MODEL_NOT_A_MODEL, "a Windows program", kNameWeights},
    {0, "GGUF"sv, Code::MODEL_FORMAT_UNSUPPORTED, "a GGUF file with quantised weights",
     "use the .safetensors version of the model"},
    {0, "\x89HDF\r\n\x1a\n"sv, Code::MODEL_FORMAT_UNSUPPORTED, "a Keras or HDF5 file",
     "use the .safetensors version of the model"},
    {0, "\x93NUMPY"sv, Code::MODEL_FORMAT_UNSUPPORTED, "a NumPy array", "save the tensors as .safetensors"},
    {4, "TFL3"sv, Code::MODEL_FORMAT_UNSUPPORTED, "a TensorFlow Lite model", "use the ONNX version of the model"},
};

size_t blanks(std::string_view text) {
  size_t n = 0;
  while (n < text.size() && (text[n] == ' ' || (text[n] >= '\t' && text[n] <= '\r'))) ++n;
  return n;
}

// Characters of a text whatever its byte order mark; UTF-16 is reduced to its ASCII part.
std::string plain_text(std::string_view bytes) {
  if (bytes.starts_with("\xef\xbb\xbf")) return std::string(bytes.substr(3));
  const bool little = bytes.starts_with("\xff\xfe"), big = bytes.starts_with("\xfe\xff");
  const bool unmarked = bytes.starts_with("<\0"sv);
  if (!little && !big && !unmarked) return std::string(bytes);
  std::string text;
  for (size_t i = unmarked ? 0 : 2; i + 1 < bytes.size(); i += 2) {
    const char low = bytes[big ? i + 1 : i], high = bytes[big ? i : i + 1];
    text += high == 0 ? low : '?';
  }
  return text;
}

std::string page_title(const std::string& page) {
  std::string lower = page;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  const size_t tag = lower.find("<title");
  const size_t start = tag == std::string::npos ? tag : lower.find('>', tag);
  const size_t end = start == std::string::npos ? start : lower.find('<', start);
  if (end == std::string::npos) return "";
  return page.substr(start + 1, end - start - 1);
}

[[noreturn]] void refuse_pointer(const File& file, std::string_view head) {
  std::string size = "unknown size";
  if (const size_t line = head.find("\nsize "); line != std::string_view::npos) {
    std::string_view digits = head.substr(line + 6);
    digits = digits.substr(0, std::min(digits.find_first_not_of("0123456789"), size_t{20}));
    if (!digits.empty()) size = std::string(digits) + " bytes";
  }
  file.fail(Code::MODEL_NOT_A_MODEL,
            "is a Git LFS pointer of " + std::to_string(file.size()) + " bytes to a file of " + size +
                ", not the file itself",
            "run `git lfs pull` in the repository");
}

// A JSON document: an index of shards, or an answer of a server that was saved in place of the file.
Format sniff_json(const File& file) {
  const std::string text = file.read_text(0, std::min(file.size(), kLongestPage));
  using Token = JsonReader::Token;
  std::string said;
  try {
    JsonReader reader(text, file.name(), 64);
    if (reader.next() == Token::begin_object) {
      while (reader.next() == Token::key) {
        const std::string key = reader.take_text();
        if (key == "weight_map") return Format::shard_index;
        if (key == "_class_name")
          file.fail(Code::MODEL_FORMAT_UNSUPPORTED, "is a configuration of diffusers, not weights",
                    "give the folder that holds it");
        const bool telling = key == "error" || key == "message" || key == "detail" || key == "error_description";
        Token token = reader.next();
        if (token == Token::begin_object && telling) {  // {"error": {"message": "..."}}
          while ((token = reader.next()) == Token::key) {
            const bool inner = reader.text() == "message";
            token = reader.next();
            if (inner && token == Token::text) said = reader.take_text();
            reader.skip(token);
          }
          continue;
        }
        if (telling && token == Token::text && said.empty()) said = reader.take_text();
        reader.skip(token);
      }
    }
  } catch (const Error& e) {
    if (e.code != Code::MODEL_HEADER_INVALID && e.code != Code::MODEL_LIMIT)
      throw;  // cut or damaged: say what was read so far
  }
  if (!said.empty())
    file.fail(Code::MODEL_NOT_A_MODEL, "is the answer of a server, which says " + quoted(said),
              "log in for gated files, or check the link, and download again");
  file.fail(Code::MODEL_NOT_A_MODEL, "is a JSON document, not weights", kNameWeights);
}

// ModelProto: ir_version (field 1, a small varint), then another field of ModelProto.
bool looks_like_onnx(std::string_view head) {
  if (head.size() < 3 || head[0] != 0x08 || head[1] < 1 || head[1] > 0x20) return false;
  constexpr std::string_view kFields =
      "\x12\x1a\x22\x28\x32\x3a\x42\x72\xa2\xca"sv;  // first byte of the tags that may follow
  return kFields.find(head[2]) != std::string_view::npos;
}

bool looks_like_safetensors(const File& file, std::string_view head) {
  if (head.size() < 8) return false;
  const uint64_t length = load<uint64_t>(head.data());
  const std::string_view header = head.substr(8);
  if (header.substr(blanks(header)).starts_with("{")) return true;
  if (length == 0) return true;  // nothing else begins with eight zeros; its reader says what is wrong
  if (header.empty() || blanks(header) == header.size()) return length <= kLongestSafetensorsHeader;
  return length <= file.size() - 8 && header[0] == '[';
}

}  // namespace

const char* format_text(Format format) noexcept {
  switch (format) {
    case Format::safetensors:
      return "safetensors file";
    case Format::torch_zip:
    case Format::torch_legacy:
      return "PyTorch checkpoint";
    case Format::onnx:
      return "ONNX model";
    case Format::shard_index:
      return "index of shards";
  }
  return "file";
}

Format sniff(const File& file) {
  if (file.size() == 0)
    file.fail(Code::MODEL_EMPTY, "has 0 bytes", "the download did not finish; fetch the file again");
  const std::string bytes = file.read_text(0, std::min<uint64_t>(file.size(), kHead));
  const std::string_view head = bytes;

  if (head.starts_with("version https://git-lfs") || head.starts_with("version https://hawser"))
    refuse_pointer(file, head);
  if (looks_like_safetensors(file, head)) return Format::safetensors;
  if (head.starts_with("PK\3\4") || head.starts_with("PK\5\6")) return Format::torch_zip;
  if (head.starts_with("\x80\x02\x8a\x0a")) return Format::torch_legacy;
  if (looks_like_onnx(head)) return Format::onnx;
  for (const Signature& s : kSignatures)
    if (head.size() >= s.at && head.substr(s.at).starts_with(s.bytes))
      file.fail(s.code, std::string("is ") + s.what, s.hint);

  const std::string text = plain_text(head);
  const std::string_view visible = std::string_view(text).substr(blanks(text));
  if (visible.starts_with("<")) {
    const std::string page = plain_text(file.read_text(0, std::min(file.size(), kLongestPage)));
    const std::string title = page_title(page);
    file.fail(Code::MODEL_NOT_A_MODEL, "is a web page" + (title.empty() ? "" : " (title: " + quoted(title) + ")"),
              "use the file's direct download link, or log in for gated files");
  }
  if (visible.starts_with("{") || visible.starts_with("[")) return sniff_json(file);
  // Every container needs more bytes than this to tell what it is.
  if (file.size() < 8)
    file.fail(Code::MODEL_TRUNCATED,
              "has " + std::to_string(file.size()) + " bytes of at least 8 that every weight file begins with",
              "download the file again");
  if (head[0] == '\x80' && head[1] >= 2 && head[1] <= 5)
    file.fail(Code::MODEL_FORMAT_UNSUPPORTED,
              "is a bare pickle (Paddle or a script wrote it), not a PyTorch checkpoint",
              "use the .safetensors version of the model");
  file.fail(Code::MODEL_NOT_A_MODEL, "is no weight file: its first bytes belong to none of the known formats",
            kNameWeights);
}

}  // namespace ipa
