// npm run bench: speed of the CPU core as a share of what this CPU can do, on standard output one JSON object a line.
//   ipa_bench [--level L] [--threads N] [--repetitions N] [--only PART OF A NAME,…] [--on-request 1]
//   ipa_bench --to-onnx FOLDER [--level L] [--threads N]    writes a forward for the comparison, measures nothing
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "core/error.h"
#include "cpu/table.h"
#include "rows.h"

namespace {

using namespace ipa;

void print_peaks(ThreadPool& pool) {
  for (const bench::Peak& peak : bench::peaks())
    std::printf("{\"peak\": \"%s\", \"gflop\": %.1f}\n", peak.name.c_str(), bench::rate(peak, pool) / 1e9);
  std::printf("{\"peak\": \"memory read\", \"gbyte\": %.1f}\n", bench::read_bandwidth(pool) / 1e9);
}

int run(std::map<std::string, std::string>& options) {
  const auto value = [&](const char* name, const std::string& otherwise) {
    const auto it = options.find(name);
    return it == options.end() ? otherwise : it->second;
  };
  const std::string named = value("--level", "");
  const cpu::Level& level = named.empty() ? cpu::default_level() : cpu::level(named);
  const int threads = std::max(1, std::atoi(value("--threads", std::to_string(available_cores())).c_str()));
  if (const std::string folder = value("--to-onnx", ""); !folder.empty()) {
    bench::forward_to_onnx(folder, level.name, threads);
    return 0;
  }
  const int repetitions = std::max(1, std::atoi(value("--repetitions", "15").c_str()));
  ThreadPool pool(threads);
  const bool on_request = value("--on-request", "0") == "1";
  if (!on_request) {
    std::printf("{\"level\": \"%s\", \"threads\": %d}\n", level.name, threads);
    print_peaks(pool);
  }
  bench::Bench rows(level.name, pool, repetitions, value("--only", ""), on_request);
  bench::run_row(rows, level.name, threads);
  bench::kernel_rows(rows, level.bf16 ? *level.bf16 : level);
  bench::forward_rows(rows, level.name, threads);
  bench::reference_rows(rows, level.name, threads);
  bench::few_step_rows(rows, level.name, threads);
  bench::less_rows(rows, level.name, threads);
  bench::load_rows(rows, level.name, threads);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, std::string> options;
  for (int i = 1; i + 1 < argc; i += 2) options[argv[i]] = argv[i + 1];
  try {
    return run(options);
  } catch (const ipa::Error& e) {
    std::fprintf(stderr, "%s\n%s\n", e.what(), e.hint.c_str());
    return 1;
  }
}
