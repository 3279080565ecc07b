#pragma once
// Listings under review: test/plans/NAME.txt. IPA_UPDATE_PLANS=1 writes them anew.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>

#include "test.h"

namespace ipa::test {

inline std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

inline std::string line_at(std::string_view text, size_t at) {
  const size_t before = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
  const size_t from = before == std::string_view::npos ? 0 : before + 1;
  return std::string(text.substr(from, text.find('\n', at) - from));
}

inline void expect_listing(const std::string& name, const std::string& listing) {
  const std::filesystem::path path = std::filesystem::path(IPA_GOLDEN_DIR).parent_path() / "plans" / (name + ".txt");
  if (const char* update = std::getenv("IPA_UPDATE_PLANS"); update && std::string_view(update) == "1")
    std::ofstream(path, std::ios::binary) << listing;
  const std::string reviewed = read_text(path);
  if (reviewed == listing) return;
  const auto [now, then] = std::mismatch(listing.begin(), listing.end(), reviewed.begin(), reviewed.end());
  const auto number = 1 + std::count(listing.begin(), now, '\n');
  failed(__FILE__, __LINE__,
         "test/plans/" + name + ".txt differs from the plan in line " + std::to_string(number) +
             "\n    listed: " + line_at(reviewed, static_cast<size_t>(then - reviewed.begin())) +
             "\n    now:    " + line_at(listing, static_cast<size_t>(now - listing.begin())) +
             "\n    if the change is meant, write the listings anew with IPA_UPDATE_PLANS=1 and review them");
}

}  // namespace ipa::test
