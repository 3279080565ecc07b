#include "io/json.h"

#include <charconv>
#include <cstring>

#include "io/system.h"
#include "io/utf8.h"

namespace ipa {

JsonReader::JsonReader(std::string_view json, std::string label, size_t depth)
    : json_(json), label_(std::move(label)), depth_(depth) {}

void JsonReader::fail_at(size_t offset, const std::string& what, Code code) const {
  ipa::fail(code, quoted(label_) + ": " + what + " at byte " + std::to_string(offset),
            "the file is damaged; download it again", {{"offset", std::to_string(offset)}});
}

void JsonReader::fail(const std::string& what, Code code) const { fail_at(token_, what, code); }

void JsonReader::skip_blanks() {
  while (at_ < json_.size() && std::strchr(" \t\n\r", json_[at_]) && json_[at_] != '\0') ++at_;
}

JsonReader::Token JsonReader::next() {
  skip_blanks();
  token_ = at_;
  if (state_ == State::done) {
    if (at_ != json_.size()) fail("text after the end of the JSON document");
    return Token::end;
  }
  if (at_ == json_.size()) fail("the JSON document ends too early");
  if (state_ == State::after_value) {
    const char c = json_[at_];
    if (c == '}' || c == ']') return close(c);
    if (c != ',') fail("expected a comma or a closing bracket");
    ++at_;
    skip_blanks();
    token_ = at_;
    if (at_ == json_.size()) fail("the JSON document ends too early");
    state_ = open_.back() == '{' ? State::key : State::value;
  }
  const char c = json_[at_];
  if (state_ == State::first_key && c == '}') return close(c);
  if (state_ == State::first_item && c == ']') return close(c);
  if (state_ == State::key || state_ == State::first_key) {
    if (c != '"') fail("expected a name in quotes");
    read_string();
    skip_blanks();
    if (at_ == json_.size() || json_[at_] != ':') fail_at(at_, "expected a colon");
    ++at_;
    state_ = State::value;
    return Token::key;
  }
  return value();
}

JsonReader::Token JsonReader::value() {
  const char c = json_[at_];
  if (c == '{') {
    open('{');
    state_ = State::first_key;
    return Token::begin_object;
  }
  if (c == '[') {
    open('[');
    state_ = State::first_item;
    return Token::begin_array;
  }
  state_ = open_.empty() ? State::done : State::after_value;
  switch (c) {
    case '"':
      read_string();
      return Token::text;
    case 't':
      boolean_ = true;
      return word("true", Token::boolean);
    case 'f':
      boolean_ = false;
      return word("false", Token::boolean);
    case 'n':
      return word("null", Token::null);
    default:
      return read_number();
  }
}

void JsonReader::open(char bracket) {
  if (open_.size() == depth_)
    fail("JSON is nested deeper than " + std::to_string(depth_) + " levels", Code::MODEL_LIMIT);
  open_.push_back(bracket);
  ++at_;
}

JsonReader::Token JsonReader::close(char bracket) {
  const char opened = bracket == '}' ? '{' : '[';
  if (open_.empty() || open_.back() != opened) fail("a closing bracket of the wrong kind");
  open_.pop_back();
  ++at_;
  state_ = open_.empty() ? State::done : State::after_value;
  return bracket == '}' ? Token::end_object : Token::end_array;
}

JsonReader::Token JsonReader::word(std::string_view spelled, Token token) {
  if (json_.substr(at_, spelled.size()) != spelled) fail("not a JSON value");
  at_ += spelled.size();
  return token;
}

void JsonReader::read_string() {
  text_.clear();
  ++at_;
  while (true) {
    const size_t start = at_;
    while (at_ < json_.size() && json_[at_] != '"' && json_[at_] != '\\' && static_cast<uint8_t>(json_[at_]) >= 0x20)
      ++at_;
    const std::string_view plain = json_.substr(start, at_ - start);
    if (const size_t good = utf8_prefix(plain); good != plain.size()) fail_at(start + good, "not UTF-8");
    text_ += plain;
    if (at_ == json_.size()) fail_at(at_, "the JSON document ends inside a string");
    if (json_[at_] == '"') break;
    if (json_[at_] != '\\') fail_at(at_, "a control character inside a string");
    read_escape();
  }
  ++at_;
}

void JsonReader::read_escape() {
  const size_t start = at_++;
  if (at_ == json_.size()) fail_at(at_, "the JSON document ends inside a string");
  constexpr std::string_view kEscapes = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
  const char c = json_[at_++];
  if (const size_t i = kEscapes.find(c); i != std::string_view::npos) {
    text_ += kMeanings[i];
    return;
  }
  if (c != 'u') fail_at(start, "an unknown escape");
  uint32_t point = read_hex4();
  if (point >= 0xD800 && point < 0xDC00) {
    if (json_.substr(at_, 2) != "\\u") fail_at(start, "half of a surrogate pair");
    at_ += 2;
    const uint32_t low = read_hex4();
    if (low < 0xDC00 || low >= 0xE000) fail_at(start, "half of a surrogate pair");
    point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
  } else if (point >= 0xDC00 && point < 0xE000) {
    fail_at(start, "half of a surrogate pair");
  }
  append_utf8(text_, point);
}

uint32_t JsonReader::read_hex4() {
  uint32_t value = 0;
  if (json_.size() - at_ < 4) fail_at(at_, "the JSON document ends inside an escape");
  const char* first = json_.data() + at_;
  const auto [end, error] = std::from_chars(first, first + 4, value, 16);
  if (error != std::errc() || end != first + 4) fail_at(at_, "expected four hexadecimal digits");
  at_ += 4;
  return value;
}

JsonReader::Token JsonReader::read_number() {
  const auto digits = [this] {
    const size_t start = at_;
    while (at_ < json_.size() && json_[at_] >= '0' && json_[at_] <= '9') ++at_;
    return at_ - start;
  };
  const bool negative = json_[at_] == '-';
  if (negative) ++at_;
  const size_t first_digit = at_;
  const size_t count = digits();
  if (count == 0) fail("not a JSON value");
  if (count > 1 && json_[first_digit] == '0') fail("a number with a leading zero");
  bool whole = true;
  if (at_ < json_.size() && json_[at_] == '.') {
    whole = false;
    ++at_;
    if (digits() == 0) fail("a number without digits after its point");
  }
  if (at_ < json_.size() && (json_[at_] == 'e' || json_[at_] == 'E')) {
    whole = false;
    ++at_;
    if (at_ < json_.size() && (json_[at_] == '+' || json_[at_] == '-')) ++at_;
    if (digits() == 0) fail("a number without digits in its exponent");
  }
  const char *first = json_.data() + token_, *last = json_.data() + at_;
  real_ = system::real_of({first, last});
  if (whole && std::from_chars(first, last, integer_).ec == std::errc()) {
    if (!(negative && integer_ == 0)) return Token::integer;  // -0 is a real: no integer is spelled so
  }
  return Token::real;
}

void JsonReader::skip(Token first) {
  if (first != Token::begin_object && first != Token::begin_array) return;
  const size_t level = open_.size();
  while (open_.size() >= level) next();
}

const Json* Json::find(std::string_view key) const {
  for (const auto& [name, value] : members)
    if (name == key) return &value;
  return nullptr;
}

Json parse_json(std::string_view json, const std::string& label, size_t depth, size_t values) {
  using Token = JsonReader::Token;
  JsonReader reader(json, label, depth);
  Json root;
  std::string key;
  // A parent's list does not grow while a child is open, so these pointers stay good.
  std::vector<Json*> open;
  for (size_t count = 0;;) {
    const Token token = reader.next();
    if (token == Token::end) return root;
    if (token == Token::key) {
      key = reader.take_text();
      continue;
    }
    if (token == Token::end_object || token == Token::end_array) {
      open.pop_back();
      continue;
    }
    if (++count > values) reader.fail("more than " + std::to_string(values) + " JSON values", Code::MODEL_LIMIT);
    Json* value = &root;
    if (!open.empty() && open.back()->kind == Json::Kind::object) {
      value = &open.back()->members.emplace_back(JsonMember{std::move(key), Json()}).value;
    } else if (!open.empty()) {
      value = &open.back()->items.emplace_back();
    }
    switch (token) {
      case Token::begin_object:
      case Token::begin_array:
        value->kind = token == Token::begin_object ? Json::Kind::object : Json::Kind::array;
        open.push_back(value);
        break;
      case Token::text:
        value->kind = Json::Kind::text;
        value->text = reader.take_text();
        break;
      case Token::integer:
        value->kind = Json::Kind::integer;
        value->integer = reader.integer();
        value->real = reader.real();
        break;
      case Token::real:
        value->kind = Json::Kind::real;
        value->real = reader.real();
        break;
      case Token::boolean:
        value->kind = Json::Kind::boolean;
        value->boolean = reader.boolean();
        break;
      default:
        break;
    }
  }
}

}  // namespace ipa
