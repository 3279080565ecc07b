// gpu-check.json, and the table that is printed from it.
#include <sys/utsname.h>

#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <sstream>

#include "check.h"
#include "io/json.h"

namespace ipa::gpu_check {

namespace {

std::string quoted_json(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (static_cast<unsigned char>(c) < 0x20)
      out += ' ';
    else
      out += c;
  }
  return out + "\"";
}

// null for what is not known, so that NaN and Inf never get into the file.
std::string number(double x) {
  if (!(x >= 0) || std::isinf(x)) return "null";
  char text[32];
  std::snprintf(text, sizeof text, "%.7g", x);
  return text;
}

std::string list_of(const std::vector<std::string>& texts) {
  std::string out = "[";
  for (const std::string& text : texts) out += (out.size() > 1 ? ", " : "") + quoted_json(text);
  return out + "]";
}

std::string row_json(const Measurement& row, const Ceilings& ceilings) {
  return "    {\"step\": " + quoted_json(row.step) + ", \"kernel\": " + quoted_json(row.kernel) +
         ", \"path\": " + quoted_json(row.path) + ", \"dtype\": " + quoted_json(row.dtype) +
         ", \"shape\": " + quoted_json(row.shape) + ", \"tile\": " + quoted_json(row.tile) +
         ", \"splitK\": " + std::to_string(row.split_k) + ", \"err\": " + number(row.error) +
         ", \"err_limit\": " + number(row.limit) + ", \"ms_median\": " + number(row.ms) +
         ", \"ms_spread\": " + number(row.spread) + ", \"flop\": " + number(row.flop) +
         ", \"bytes\": " + number(row.bytes) + ", \"frac\": " + number(fraction(row, ceilings)) +
         ", \"torch_ms\": null, \"torch_variant\": null, \"target\": " + number(row.target) +
         ", \"target_ms\": " + number(row.target_ms) + ", \"planned_bytes\": " + number(row.planned_bytes) +
         ", \"actual_bytes\": " + number(row.actual_bytes) +
         ", \"torch\": " + (row.torch.empty() ? "null" : row.torch) +
         ", \"pass\": " + (passes(row, ceilings) ? "true" : "false") + "}";
}

// ---- the table ----

double real(const Json& row, std::string_view key) {
  const Json* const found = row.find(key);
  return found && (found->kind == Json::Kind::real || found->kind == Json::Kind::integer) ? found->real : -1;
}
std::string text(const Json& row, std::string_view key) {
  const Json* const found = row.find(key);
  return found ? found->text : "";
}
std::string shown(double x, const char* format) {
  if (x < 0) return "-";
  char text[32];
  std::snprintf(text, sizeof text, format, x);
  return text;
}

}  // namespace

double fraction(const Measurement& row, const Ceilings& ceilings) {
  if (row.ms <= 0) return -1;
  if (row.flop > 0 && ceilings.flop > 0) return row.flop / row.ms * 1e3 / ceilings.flop;
  if (row.flop == 0 && row.bytes > 0 && ceilings.copy > 0) return row.bytes / row.ms * 1e3 / ceilings.copy;
  return -1;
}

bool passes(const Measurement& row, const Ceilings& ceilings) {
  if (row.limit >= 0 && !(row.error <= row.limit)) return false;
  const double reached = fraction(row, ceilings);
  if (row.target > 0 && reached >= 0 && reached < row.target) return false;
  return row.target_ms <= 0 || row.ms <= row.target_ms;
}

std::string json_of(Card& card, const Options& options, const Report& report) {
  const driver::Properties& p = card.device.properties();
  utsname system{};
  uname(&system);
  char when[32];
  const std::time_t now = std::time(nullptr);
  std::strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
  std::string out =
      "{\n  \"format\": 1,\n  \"date\": " + quoted_json(when) + ",\n  \"commit\": " + quoted_json(options.commit) +
      ",\n  \"machine\": {\"system\": " + quoted_json(system.sysname) + ", \"arch\": " + quoted_json(system.machine) +
      ", \"emulated\": " + (card.emulated ? "true" : "false") + ", \"card\": " + quoted_json(p.name) +
      ", \"capability\": " + std::to_string(p.capability) + ", \"driver\": " + std::to_string(p.driver) +
      ", \"multiprocessors\": " + std::to_string(p.multiprocessors) + ", \"l2_bytes\": " + std::to_string(p.l2_bytes) +
      ", \"total_bytes\": " + std::to_string(p.total_bytes) +
      ", \"clocks_before\": " + quoted_json(options.clocks_before) + ", \"clocks_after\": \"\"},\n";
  const Ceilings& c = report.ceilings;
  out += "  \"ceilings\": {\"copy_bytes_per_s\": " + number(c.copy) + ", \"product_flop_per_s\": " + number(c.product) +
         ", \"flop_per_s\": " + number(c.flop) + ", \"source\": " + quoted_json(c.source) + "},\n";
  out += "  \"failures\": " + list_of(report.failures) + ",\n  \"notes\": " + list_of(report.notes) +
         ",\n  \"measurements\": [";
  for (const Measurement& row : report.rows) out += (&row == &report.rows[0] ? "\n" : ",\n") + row_json(row, c);
  return out + "\n  ]\n}\n";
}

int print_table(const std::string& path, bool strict) {
  std::ifstream file(path);
  std::stringstream content;
  content << file.rdbuf();
  if (!file) fail(Code::INTERNAL, "cannot read " + path, "run the check first");
  const std::string written = content.str();
  const Json all = parse_json(written, path);
  const Json* const rows = all.find("measurements");
  const Json* const failures = all.find("failures");
  const Json* const notes = all.find("notes");
  if (!rows || !failures || !notes) fail(Code::INTERNAL, path + " is no file of the GPU check", "run the check first");
  int missed = 0;
  for (const Json& note : notes->items) std::printf("note: %s\n", note.text.c_str());
  std::printf("\n%-18s %-28s %-4s %8s %10s %9s %6s %9s %6s %7s  %s\n", "kernel", "shape", "type", "error", "ms",
              "TF or GB/s", "share", "torch ms", "ratio", "target", "verdict");
  for (const Json& row : rows->items) {
    const double ms = real(row, "ms_median"), flop = real(row, "flop"), bytes = real(row, "bytes");
    const double rate = ms <= 0 ? -1 : flop > 0 ? flop / ms * 1e-9 : bytes > 0 ? bytes / ms * 1e-6 : -1;
    const double torch = real(row, "torch_ms"), target = real(row, "target"), target_ms = real(row, "target_ms");
    const bool wrong =
        real(row, "err_limit") >= 0 && !(real(row, "err") >= 0 && real(row, "err") <= real(row, "err_limit"));
    const Json* const pass = row.find("pass");
    const bool aimed = target > 0 || target_ms > 0;
    const bool slow = !wrong && pass && !pass->boolean;
    if (slow) ++missed;
    std::string aim = target_ms > 0 ? shown(target_ms, "%.1f ms") : target > 0 ? shown(target, "%.2f") : "-";
    std::printf("%-18s %-28s %-4s %8s %10s %9s %6s %9s %6s %7s  %s\n", text(row, "kernel").c_str(),
                text(row, "shape").c_str(), text(row, "dtype").c_str(), shown(real(row, "err"), "%.1e").c_str(),
                shown(ms, "%.4f").c_str(), shown(rate, "%.1f").c_str(), shown(real(row, "frac"), "%.3f").c_str(),
                shown(torch, "%.4f").c_str(), shown(torch > 0 && ms > 0 ? torch / ms : -1, "%.2f").c_str(), aim.c_str(),
                wrong   ? "WRONG"
                : slow  ? "missed"
                : aimed ? "met"
                        : "-");
  }
  for (const Json& failure : failures->items) std::printf("wrong: %s\n", failure.text.c_str());
  std::printf("%zu measurements, %zu wrong results, %d targets missed: %s\n", rows->items.size(),
              failures->items.size(), missed, path.c_str());
  if (!failures->items.empty()) return 1;
  return strict && missed > 0 ? 2 : 0;
}

}  // namespace ipa::gpu_check
