// Runs every registered test, or those whose name contains the first argument and none of the others.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>

#include "test.h"

int main(int argc, char** argv) {
  using namespace ipa::test;
  const std::string filter = argc > 1 ? argv[1] : "";
  int passed = 0, failed = 0, skipped = 0;
  for (const Case& test : cases()) {
    const auto named = [&](const std::string& words) {
      return std::string(test.name).find(words) != std::string::npos;
    };
    if (!named(filter) || std::any_of(argv + std::min(argc, 2), argv + argc, named)) continue;
    failures().clear();
    try {
      test.run();
    } catch (const Skipped& skip) {
      if (failures().empty()) {
        std::printf("ok %s # SKIP %s\n", test.name, skip.reason.c_str());
        ++skipped;
        continue;
      }
    } catch (const ipa::Error& e) {
      failures().push_back(std::string(ipa::code_text(e.code)) + ": " + e.what() + " (" + e.hint + ")");
    } catch (const std::exception& e) {
      failures().push_back(std::string("exception: ") + e.what());
    }
    std::printf("%s %s\n", failures().empty() ? "ok" : "not ok", test.name);
    for (const std::string& text : failures()) std::printf("  # %s\n", text.c_str());
    std::fflush(stdout);
    ++(failures().empty() ? passed : failed);
  }
  std::printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
  return failed ? 1 : 0;
}
