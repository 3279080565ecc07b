// The program behind scripts/gpu-check.sh: proves and measures the CUDA core on the first card, or runs what can be run
// of it on the emulated one.
//
//   ipa_gpu_check [--quick] [--only NAME[,NAME]] [--out FOLDER] [--json FILE] [--strict] [--tune] [--emulated]
//                 [--commit TEXT] [--clocks TEXT] [--no-table]
//   ipa_gpu_check --capability        the card's compute capability, 90; exits with 3 where there is none
//   ipa_gpu_check --table FILE [--strict]
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include "check.h"
#include "cuda/driver/images.h"
#include "cuda/driver/library.h"
#include "image.h"

namespace ipa::gpu_check {

bool Options::wants(std::string_view name) const {
  for (const std::string& part : only)
    if (name.find(part) != std::string_view::npos) return true;
  return false;
}

namespace {

[[noreturn]] void usage(const std::string& what) {
  std::fprintf(stderr, "%s; see the head of tools/gpu_check/main.cpp\n", what.c_str());
  std::exit(64);
}

std::vector<std::string> parts_of(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t from = 0; from <= text.size();) {
    const size_t comma = std::min(text.find(',', from), text.size());
    if (comma > from) parts.push_back(text.substr(from, comma - from));
    from = comma + 1;
  }
  return parts;
}

// The first card, or why there is none.
struct Opened {
  std::unique_ptr<driver::Table> table;  // outlives the card
  std::unique_ptr<driver::EmulatedDevice> plugged;
  std::unique_ptr<Card> card;
};

Opened open_card(bool emulated, ThreadPool& pool) {
  Opened opened;
  std::string why = "it was asked for";
  if (!emulated) {
    const std::variant<driver::Table, driver::Unavailable> found = driver::open_library();
    if (const auto* const table = std::get_if<driver::Table>(&found)) {
      const auto usable = driver::usable_device(*table, 0);
      if (const auto* const not_this = std::get_if<driver::Unavailable>(&usable))
        why = not_this->text;
      else if (driver::images().empty() || !vector_image())
        why = "this program was built without nvcc, so it has no kernels for the card";
      else
        opened.table = std::make_unique<driver::Table>(*table);
    } else {
      why = std::get<driver::Unavailable>(found).text;
    }
  }
  if (opened.table) {
    opened.card = std::make_unique<Card>(*opened.table, 0, driver::images());
    return opened;
  }
  driver::EmulatedSettings settings;
  settings.pool = &pool;
  opened.plugged = std::make_unique<driver::EmulatedDevice>(settings);
  opened.card =
      std::make_unique<Card>(driver::emulated_table(), opened.plugged->ordinal(), std::span<const driver::Image>());
  opened.card->emulated = true, opened.card->why = why;
  return opened;
}

int print_capability() {
  const std::variant<driver::Table, driver::Unavailable> found = driver::open_library();
  if (const auto* const why = std::get_if<driver::Unavailable>(&found)) {
    std::fprintf(stderr, "%s\n", why->text.c_str());
    return 3;
  }
  const auto usable = driver::usable_device(std::get<driver::Table>(found), 0);
  if (const auto* const why = std::get_if<driver::Unavailable>(&usable)) {
    std::fprintf(stderr, "%s\n", why->text.c_str());
    return 3;
  }
  std::printf("%d\n", driver::Device(std::get<driver::Table>(found), 0).properties().capability);
  return 0;
}

struct Step {
  const char* name;
  bool quick;  // a part of --quick
  void (*run)(Card&, ThreadPool&, const Options&, Report&);
};
// The order matters: shares are of ceilings, and a card that does not do what the emulator does explains all that
// follows.
constexpr Step kSteps[] = {
    {"vectors", true, [](Card& c, ThreadPool&, const Options& o, Report& r) { record_vectors(c, o, r); }},
    {"kernels", true, check_kernels},
    {"ceilings", true, [](Card& c, ThreadPool&, const Options& o, Report& r) { measure_ceilings(c, o, r); }},
    {"timing", true, [](Card& c, ThreadPool&, const Options& o, Report& r) { time_kernels(c, o, r); }},
    {"networks", false, time_networks},
};

// --only names a step, or kernels: correctness and timing then look for those themselves. Shares need ceilings.
bool runs(const Step& step, const Options& options) {
  if (options.only.empty()) return step.quick || !options.quick;
  const std::string name = step.name;
  if (name == "vectors" || name == "networks") {
    for (const std::string& part : options.only)
      if (name == part || (name == "networks" && (part.starts_with("step") || part.starts_with("decode") ||
                                                  part.find("encoder") != std::string::npos)))
        return true;
    return false;
  }
  for (const std::string& part : options.only)
    if (name == part || (part != "vectors" && part != "networks" && part != "kernels" && part != "timing" &&
                         part != "ceilings" && name != "ceilings"))
      return true;
  return name == "ceilings" && (options.wants("timing") || options.wants("networks"));
}

int check(const Options& options) {
  ThreadPool pool(available_cores());
  const Opened opened = open_card(options.emulated, pool);
  Card& card = *opened.card;
  if (card.emulated)
    std::printf("no card is used: %s. What the emulator can show is run; its times say nothing.\n", card.why.c_str());
  else
    std::printf("card: %s, capability %d, driver %d\n", card.device.properties().name.c_str(),
                card.device.properties().capability, card.device.properties().driver);
  std::filesystem::create_directories(options.out);
  Report report;
  for (const Step& step : kSteps) {
    if (!runs(step, options) || card.device.lost()) continue;
    std::printf("---- %s\n", step.name);
    std::fflush(stdout);
    try {
      step.run(card, pool, options, report);
    } catch (const Error& e) {
      report.failures.push_back(std::string(step.name) + ": " + e.what());
    }
  }
  if (opened.plugged)
    for (const std::string& text : opened.plugged->complaints()) report.failures.push_back(text);
  const std::string path = options.json.empty() ? options.out + "/gpu-check.json" : options.json;
  std::ofstream file(path);
  file << json_of(card, options, report);
  if (!file.flush()) fail(Code::INTERNAL, "cannot write " + path, "give --out a folder that is writable");
  return report.failures.empty() ? 0 : 1;
}

int run(const std::vector<std::string>& given) {
  Options options;
  std::string table;
  bool with_table = true;
  for (size_t i = 0; i < given.size(); ++i) {
    const std::string& name = given[i];
    const auto value = [&] {
      return i + 1 < given.size() ? given[++i] : (usage(name + " wants a value"), std::string());
    };
    if (name == "--capability") return print_capability();
    if (name == "--quick")
      options.quick = true;
    else if (name == "--strict")
      options.strict = true;
    else if (name == "--tune")
      options.tune = true;
    else if (name == "--emulated")
      options.emulated = true;
    else if (name == "--no-table")
      with_table = false;
    else if (name == "--only")
      options.only = parts_of(value());
    else if (name == "--out")
      options.out = value();
    else if (name == "--json")
      options.json = value();
    else if (name == "--commit")
      options.commit = value();
    else if (name == "--clocks")
      options.clocks_before = value();
    else if (name == "--table")
      table = value();
    else
      usage("there is no option " + name);
  }
  if (!table.empty()) return print_table(table, options.strict);
  if (const char* const damage = std::getenv("IPA_GPU_CHECK_BREAK")) options.damage = damage;
  const int code = check(options);
  if (!with_table) return code;
  return print_table(options.json.empty() ? options.out + "/gpu-check.json" : options.json, options.strict);
}

}  // namespace
}  // namespace ipa::gpu_check

int main(int count, char** values) {
  try {
    return ipa::gpu_check::run({values + 1, values + count});
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
