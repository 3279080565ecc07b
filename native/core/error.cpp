#include "core/error.h"

#include <cstdio>
#include <string_view>

namespace ipa {

const char* code_text(Code code) noexcept {
  switch (code) {
#define IPA_X(name) \
  case Code::name:  \
    return #name;
    IPA_ERROR_CODES(IPA_X)
#undef IPA_X
  }
  return "INTERNAL";
}

void fail(Code code, const std::string& message, const std::string& hint, Error::Details details) {
  throw Error(code, message, hint, std::move(details));
}

std::string quoted(std::string_view text) {
  constexpr size_t kLongest = 120;  // characters shown of any input
  const bool cut = text.size() > kLongest;
  std::string out = "\"";
  for (unsigned char c : text.substr(0, kLongest)) {
    if (c < 0x20 || c == 0x7f) {
      char buffer[8];
      std::snprintf(buffer, sizeof buffer, "\\u%04X", c);
      out += buffer;
    } else {
      out += static_cast<char>(c);
    }
  }
  return out + (cut ? "…\"" : "\"");
}

}  // namespace ipa
