#pragma once
// The GPU check: what it is asked for, where it runs, what it found. Every step adds to one Report.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/threads.h"
#include "cuda/driver/device.h"
#include "cuda/driver/emulated.h"

namespace ipa::gpu_check {

namespace driver = cuda::driver;

struct Options {
  bool quick = false, strict = false, tune = false, emulated = false;
  std::vector<std::string> only;  // parts of names of kernels and steps; empty: all
  std::string out = "gpu-check";  // folder of what is written
  std::string json;               // empty: out/gpu-check.json
  std::string commit, clocks_before;
  std::string damage;  // of the kernel of this name one number is made wrong: IPA_GPU_CHECK_BREAK, for the check's test

  bool wants(std::string_view name) const;
};

// A card, or the emulated one.
struct Card {
  Card(const driver::Table& table, int ordinal, std::span<const driver::Image> images)
      : table(table), device(table, ordinal, images) {}
  const driver::Table& table;
  driver::Device device;
  bool emulated = false;
  std::string why;  // no card is used
};

// One row of the table. Negative: not known.
struct Measurement {
  std::string step, kernel, path, dtype, shape, tile;
  int split_k = 1;
  double error = -1, limit = -1;  // ||out - reference|| / ||reference||
  double ms = -1, spread = -1;    // median; between the quartiles, as a share of it
  double flop = 0, bytes = 0;     // of a run; the first that is not 0 counts
  double target = 0;              // share of the ceiling; 0: none
  double target_ms = 0;           // the same for whole networks
  double planned_bytes = -1, actual_bytes = -1;
  std::string torch;  // what PyTorch is to do in comparison, a JSON object; empty: nothing
};

struct Ceilings {
  double copy = 0;     // bytes per second, both directions counted
  double product = 0;  // FLOP per second of our own largest product
  double flop = 0;     // what fractions are of: the card's own, or that of our largest product
  std::string source;
};

struct Report {
  std::vector<Measurement> rows;
  std::vector<std::string> failures;  // wrong results
  std::vector<std::string> notes;
  Ceilings ceilings;
};

// ---- the steps ----
void measure_ceilings(Card& card, const Options& options, Report& report);
void record_vectors(Card& card, const Options& options, Report& report);
void check_kernels(Card& card, ThreadPool& pool, const Options& options, Report& report);
void time_kernels(Card& card, const Options& options, Report& report);
void time_networks(Card& card, ThreadPool& pool, const Options& options, Report& report);

// ---- what comes out ----
// Share of the ceiling, and whether a row is right and fast enough.
double fraction(const Measurement& row, const Ceilings& ceilings);
bool passes(const Measurement& row, const Ceilings& ceilings);
std::string json_of(Card& card, const Options& options, const Report& report);
// The table of a written file, perhaps with PyTorch's times in it; its exit code: 1 for a wrong result, 2 for a missed
// target with `strict`, else 0.
int print_table(const std::string& path, bool strict);

}  // namespace ipa::gpu_check
