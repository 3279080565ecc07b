#pragma once
// How the bench measures: a row alternates with the peak loop of its level, so that both see the same state of the
// machine; medians over the repetitions.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/threads.h"

namespace ipa::bench {

// A unit of this CPU, measured by a loop that does nothing else.
struct Peak {
  std::string name;            // "f32 512", "f32 256", "f32 128", "vdpbf16ps", "amx bf16"
  double (*loop)() = nullptr;  // runs once on one thread, returns its FLOP
};
std::vector<Peak> peaks();                        // of the units this CPU and build have
Peak peak_of(const std::string& level);           // the one that bounds a level's products
double tiles_loop();                              // peak_tiles.cpp, a loop as in Peak; only with the level amx
double rate(const Peak& peak, ThreadPool& pool);  // FLOP per second, the median of some runs
double read_bandwidth(ThreadPool& pool);          // bytes per second from memory

struct Row {
  std::string name;
  double seconds = 0, gflop = 0;  // gflop per second
  double gbyte = 0;               // of a file, per second
  double fraction = 0;            // of the peak of the same repetition
  double cpu_fraction = 0;        // the same by processor time, a second witness when others use the machine
  double ratio = 0;               // of two ways to do the same
  double error = 0;               // ||a - b|| / ||b|| against f64 sums on the same rounded operands
  double bytes_planned = 0, bytes_peak = 0;
};

class Bench {
 public:
  // `on_request`: every repetition waits for a line on standard input and its seconds are printed, for comparisons
  // with another program in turn; peaks are left out.
  Bench(const std::string& level, ThreadPool& pool, int repetitions, std::string only, bool on_request)
      : pool_(pool),
        peak_(peak_of(level)),
        repetitions_(repetitions),
        only_(std::move(only)),
        on_request_(on_request) {}

  bool wants(const std::string& name) const;  // it has one of the parts that --only lists
  bool on_request() const { return on_request_; }
  ThreadPool& pool() { return pool_; }
  // run(i) computes once, with the i-th set of weights; flop of one run.
  Row measure(const std::string& name, double flop, const std::function<void(int)>& run);
  // The same for what moves bytes: its peak is `least`, which does less than any way to do it.
  Row measure(const std::string& name, double bytes, const std::function<void()>& run,
              const std::function<void()>& least);
  // How many times as long `slow` takes as `fast`, one of each in turn; seconds are of `fast`.
  Row ratio(const std::string& name, const std::function<void()>& slow, const std::function<void()>& fast);
  // What each of `more` further parts of `many` takes, as a share of `one`, one of each in turn; seconds are of `one`.
  Row share(const std::string& name, const std::function<void()>& one, const std::function<void()>& many, int more);
  void report(const Row& row) const;  // one JSON object on a line

 private:
  void answer(const std::function<void(int)>& run) const;
  // One of each in turn. `least` returns how many times the work of a run it has done.
  Row alternate(const std::string& name, const std::function<void(int)>& run,
                const std::function<double()>& least) const;
  ThreadPool& pool_;
  Peak peak_;
  int repetitions_;
  std::string only_;  // parts of names with commas between; empty: all
  bool on_request_;
};

double seconds_of(const std::function<void()>& work);
double memory_peak();  // bytes, VmHWM since reset_memory_peak
void reset_memory_peak();
std::vector<float> numbers(int64_t n, unsigned seed, float scale = 1);  // in [-scale, scale), each one a bf16
double relative_error(const std::vector<double>& exact, const std::vector<double>& got);

}  // namespace ipa::bench
