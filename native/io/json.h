#pragma once
// JSON as hostile files hold it. JsonReader hands out one token after the other and keeps nothing but the open
// brackets, so a header of 32 MiB costs no tree; parse_json builds one for small documents. Neither recurses.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"

namespace ipa {

class JsonReader {
 public:
  enum class Token { begin_object, end_object, begin_array, end_array, key, text, integer, real, boolean, null, end };

  // `label` is the file's name in messages. Deeper nesting than `depth` is MODEL_LIMIT.
  JsonReader(std::string_view json, std::string label, size_t depth);

  Token next();
  const std::string& text() const noexcept { return text_; }  // of the last key or text, escapes undone, valid UTF-8
  std::string take_text() noexcept { return std::move(text_); }
  int64_t integer() const noexcept { return integer_; }  // exact; what does not fit 64 bits is a real
  double real() const noexcept { return real_; }
  bool boolean() const noexcept { return boolean_; }
  size_t offset() const noexcept { return token_; }  // byte where the last token starts
  // Reads the rest of the value whose first token `first` was just returned.
  void skip(Token first);
  [[noreturn]] void fail(const std::string& what, Code code = Code::MODEL_HEADER_INVALID) const;  // at the last token

 private:
  enum class State { value, first_item, first_key, key, after_value, done };
  Token value();
  Token close(char bracket);
  void open(char bracket);
  void read_string();
  void read_escape();
  uint32_t read_hex4();
  Token read_number();
  Token word(std::string_view spelled, Token token);
  void skip_blanks();
  [[noreturn]] void fail_at(size_t offset, const std::string& what, Code code = Code::MODEL_HEADER_INVALID) const;

  std::string_view json_;
  std::string label_;
  size_t depth_, at_ = 0, token_ = 0;
  State state_ = State::value;
  std::vector<char> open_;
  std::string text_;
  int64_t integer_ = 0;
  double real_ = 0;
  bool boolean_ = false;
};

struct JsonMember;

struct Json {
  enum class Kind { null, boolean, integer, real, text, array, object };
  Kind kind = Kind::null;
  bool boolean = false;
  int64_t integer = 0;
  double real = 0;  // also of an integer
  std::string text;
  std::vector<Json> items;
  std::vector<JsonMember> members;  // in the order of the document, a repeated key twice

  const Json* find(std::string_view key) const;  // first member of that name or null
};

// trap: a std::pair of it in the vector is one that clang 16 and libstdc++ cannot complete
struct JsonMember {
  std::string name;
  Json value;
};

// Whole document. More than `values` values are MODEL_LIMIT.
Json parse_json(std::string_view json, const std::string& label, size_t depth = 64, size_t values = 4'000'000);

}  // namespace ipa
