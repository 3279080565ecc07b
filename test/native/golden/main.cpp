// The native half of the golden runner.
//   ipa_golden --levels                   the CPU levels here, one a line, slowest first
//   ipa_golden --to-onnx FOLDER OUT       writes networks of FOLDER as ONNX graphs (to_onnx.h)
//   ipa_golden FOLDER LEVEL[,LEVEL …]     reads lines "kind TAB case", writes one JSON object per case and level
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "core/error.h"
#include "cpu/table.h"
#include "golden.h"
#include "golden/kinds.h"
#include "golden/to_onnx.h"

namespace {

using namespace ipa;
using namespace ipa::golden;

Kinds all_kinds() {
  Kinds kinds;
  for (const auto add : {add_modules, add_networks, add_controls, add_projectors, add_adapters, add_loras, add_onnx,
                         add_images, add_inpainting, add_random, add_text, add_files})
    add(kinds);
  return kinds;
}

std::string json_text(const std::string& s) {
  std::string out = "\"";
  for (const char c : s) {
    char code[8];
    std::snprintf(code, sizeof code, "\\u%04x", static_cast<unsigned char>(c));
    if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20)
      out += code;
    else
      out += c;
  }
  return out + "\"";
}

std::string json_number(double v) {
  if (!std::isfinite(v)) return "null";
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", v);
  return text;
}

Verdict checked(const Kind& kind, Level& level, const std::string& name) {
  Verdict verdict;
  try {
    kind.check(level, name, verdict);
  } catch (const Error& e) {
    verdict.fault(std::string(code_text(e.code)) + ": " + e.what() + " (" + e.hint + ")");
  } catch (const std::exception& e) {
    verdict.fault(e.what());
  }
  return verdict;
}

void print(const std::string& kind, const std::string& name, const std::string& level, const Verdict& v) {
  std::cout << "{\"case\":" << json_text(name) << ",\"kind\":" << json_text(kind) << ",\"level\":" << json_text(level)
            << ",\"status\":" << (v.passed() ? "\"passed\"" : "\"failed\"") << ",\"worst\":" << json_number(v.worst())
            << ",\"limit\":" << json_number(v.limit()) << ",\"message\":" << json_text(v.message()) << "}" << std::endl;
}

int run(const std::string& folder, const std::string& levels) {
  test::golden_folder() = std::filesystem::canonical(folder);
  const Kinds kinds = all_kinds();
  std::vector<std::unique_ptr<Level>> machines;
  std::vector<std::string> names;
  std::istringstream list(levels);
  for (std::string name; std::getline(list, name, ',');) {
    machines.push_back(std::make_unique<Level>(name));
    names.push_back(name);
  }
  for (std::string line; std::getline(std::cin, line);) {
    const size_t tab = line.find('\t');
    const std::string kind = line.substr(0, tab), name = line.substr(tab + 1);
    const auto found = kinds.find(kind);
    if (found == kinds.end()) {
      std::cerr << "ipa_golden knows no kind " << kind << "\n";
      return 2;
    }
    if (!found->second.per_level) {
      print(kind, name, "", checked(found->second, *machines.at(0), name));
      continue;
    }
    for (size_t i = 0; i < machines.size(); ++i)
      print(kind, name, names[i], checked(found->second, *machines[i], name));
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  try {
    if (arguments.size() == 1 && arguments[0] == "--levels") {
      for (const cpu::Level* level : cpu::levels()) std::cout << level->name << "\n";
      return 0;
    }
    if (arguments.size() == 3 && arguments[0] == "--to-onnx") {
      test::golden_folder() = std::filesystem::canonical(arguments[1]);
      networks_to_onnx(arguments[2]);
      return 0;
    }
    if (arguments.size() == 2) return run(arguments[0], arguments[1]);
  } catch (const std::exception& e) {
    std::cerr << e.what() << "\n";
    return 2;
  }
  std::cerr << "usage: ipa_golden --levels | ipa_golden --to-onnx FOLDER OUT | ipa_golden FOLDER LEVEL,LEVEL < cases\n";
  return 2;
}
