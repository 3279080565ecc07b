#include "measure.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iostream>
#include <sstream>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "core/arena.h"
#include "core/dtype.h"
#include "cpu/table.h"

namespace ipa::bench {

namespace {

using Clock = std::chrono::steady_clock;

struct Time {
  double wall, cpu;  // seconds; cpu is of all threads together
};

double cpu_now() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

template <typename F>
Time time_of(const F& f) {
  const double cpu = cpu_now();
  const auto start = Clock::now();
  f();
  return {std::chrono::duration<double>(Clock::now() - start).count(), cpu_now() - cpu};
}

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

// ---- independent chains of multiply-adds in registers; `sink` keeps the compiler from leaving them out ----

constexpr int64_t kSteps = 10'000'000;  // some 20 ms: waking a sleeping thread must not count
constexpr int kChains = 10;
volatile float sink;

#if defined(__x86_64__)
// trap: of clang these versions count registers of 512 bits as a feature of its own, which a base may turn off
#if defined(__clang__) && __clang_major__ >= 18 && __clang_major__ <= 21
#define IPA_AVX512F "avx512f,evex512"
#else
#define IPA_AVX512F "avx512f"
#endif
__attribute__((target(IPA_AVX512F))) double f32_512() {
  __m512 sums[kChains], x = _mm512_set1_ps(0.999f), y = _mm512_set1_ps(0.001f);
  for (auto& s : sums) s = x;
  for (int64_t i = 0; i < kSteps; ++i) {
#pragma GCC unroll 10
    for (int c = 0; c < kChains; ++c) sums[c] = _mm512_fmadd_ps(sums[c], x, y);
  }
  for (int c = 1; c < kChains; ++c) sums[0] = _mm512_add_ps(sums[0], sums[c]);
  sink = _mm512_cvtss_f32(sums[0]);
  return static_cast<double>(kSteps) * kChains * 16 * 2;
}
__attribute__((target("avx2,fma"))) double f32_256() {
  __m256 sums[kChains], x = _mm256_set1_ps(0.999f), y = _mm256_set1_ps(0.001f);
  for (auto& s : sums) s = x;
  for (int64_t i = 0; i < kSteps; ++i) {
#pragma GCC unroll 10
    for (int c = 0; c < kChains; ++c) sums[c] = _mm256_fmadd_ps(sums[c], x, y);
  }
  for (int c = 1; c < kChains; ++c) sums[0] = _mm256_add_ps(sums[0], sums[c]);
  sink = _mm256_cvtss_f32(sums[0]);
  return static_cast<double>(kSteps) * kChains * 8 * 2;
}
__attribute__((target(IPA_AVX512F ",avx512bf16"))) double dot_bf16() {
  __m512 sums[kChains];
  const __m512bh x = reinterpret_cast<__m512bh>(_mm512_set1_epi16(0x3c00)), y = x;  // 2^-7
  for (auto& s : sums) s = _mm512_set1_ps(1);
  for (int64_t i = 0; i < kSteps; ++i) {
#pragma GCC unroll 10
    for (int c = 0; c < kChains; ++c) sums[c] = _mm512_dpbf16_ps(sums[c], x, y);
  }
  for (int c = 1; c < kChains; ++c) sums[0] = _mm512_add_ps(sums[0], sums[c]);
  sink = _mm512_cvtss_f32(sums[0]);
  return static_cast<double>(kSteps) * kChains * 16 * 2 * 2;
}
#endif
double f32_128() {
  typedef float V __attribute__((vector_size(16)));
  V sums[kChains], x = V{} + 0.999f, y = V{} + 0.001f;
  for (auto& s : sums) s = x;
  for (int64_t i = 0; i < kSteps; ++i) {
#pragma GCC unroll 10
    for (int c = 0; c < kChains; ++c) sums[c] = sums[c] * x + y;
  }
  for (int c = 1; c < kChains; ++c) sums[0] += sums[c];
  sink = sums[0][0];
  return static_cast<double>(kSteps) * kChains * 4 * 2;
}

}  // namespace

Peak peak_of(const std::string& level) {
#if defined(__x86_64__)
#if IPA_WITH_AMX
  if (level == "amx") return {"amx bf16", tiles_loop};
#endif
  if (level == "avx512bf16") return {"vdpbf16ps", dot_bf16};
  if (level == "avx512") return {"f32 512", f32_512};
  if (level == "avx2") return {"f32 256", f32_256};
#endif
  return {"f32 128", f32_128};
}

std::vector<Peak> peaks() {
  std::vector<Peak> list;
  for (const cpu::Level* level : cpu::levels())
    if (level->matmul) list.push_back(peak_of(level->name));
  return list;
}

double rate(const Peak& peak, ThreadPool& pool) {
  std::vector<double> rates;
  for (int i = 0; i < 5; ++i) {
    double flop = 0;
    const Time t = time_of([&] {
      pool.run(pool.threads(), [&](int part) {
        const double done = peak.loop();
        if (part == 0) flop = done * pool.threads();
      });
    });
    rates.push_back(flop / t.wall);
  }
  return median(rates);
}

double read_bandwidth(ThreadPool& pool) {
  constexpr size_t kBytes = size_t{512} << 20;
  const Arena memory = allocate(kBytes, /*zero=*/true);
  const size_t share = kBytes / sizeof(uint64_t) / static_cast<size_t>(pool.threads());
  const uint64_t* words = reinterpret_cast<const uint64_t*>(memory.get());
  double best = 0;
  for (int i = 0; i < 5; ++i) {
    const Time t = time_of([&] {
      pool.run(pool.threads(), [&](int part) {
        uint64_t sums[8] = {};
        const uint64_t* p = words + static_cast<size_t>(part) * share;
        for (size_t w = 0; w + 8 <= share; w += 8)
          for (size_t j = 0; j < 8; ++j) sums[j] += p[w + j];
        uint64_t total = 0;
        for (uint64_t s : sums) total += s;
        sink = static_cast<float>(total);
      });
    });
    best = std::max(best, static_cast<double>(kBytes) / t.wall);
  }
  return best;
}

bool Bench::wants(const std::string& name) const {
  std::istringstream parts(only_);
  bool any = only_.empty();
  for (std::string part; std::getline(parts, part, ',');) any = any || name.find(part) != std::string::npos;
  return any;
}

void Bench::answer(const std::function<void(int)>& run) const {
  std::string line;
  for (int i = 0; i < repetitions_ && std::getline(std::cin, line); ++i) {
    std::printf("{\"repetition\": %.6f}\n", time_of([&] { run(i); }).wall);
    std::fflush(stdout);
  }
}

Row Bench::alternate(const std::string& name, const std::function<void(int)>& run,
                     const std::function<double()>& least) const {
  std::vector<double> times, shares, cpu_shares;
  for (int i = 0; i < repetitions_; ++i) {
    double part = 0;
    const Time floor = time_of([&] { part = least(); }), t = time_of([&] { run(i); });
    times.push_back(t.wall);
    shares.push_back(floor.wall / part / t.wall);
    cpu_shares.push_back(floor.cpu / part / t.cpu);
  }
  Row row;
  row.name = name;
  row.seconds = median(times);
  row.fraction = median(shares);
  row.cpu_fraction = median(cpu_shares);
  return row;
}

Row Bench::measure(const std::string& name, double flop, const std::function<void(int)>& run) {
  if (on_request_) {
    answer(run);
    return {};
  }
  Row row = alternate(name, run, [&] {
    std::vector<double> flops(static_cast<size_t>(pool_.threads()));
    pool_.run(pool_.threads(), [&](int part) { flops[static_cast<size_t>(part)] = peak_.loop(); });
    return flops[0] * static_cast<double>(flops.size()) / flop;
  });
  row.gflop = flop / row.seconds / 1e9;
  return row;
}

Row Bench::measure(const std::string& name, double bytes, const std::function<void()>& run,
                   const std::function<void()>& least) {
  if (on_request_) {
    answer([&](int) { run(); });
    return {};
  }
  Row row = alternate(
      name, [&](int) { run(); },
      [&] {
        least();
        return 1.0;
      });
  row.gbyte = bytes / row.seconds / 1e9;
  return row;
}

Row Bench::ratio(const std::string& name, const std::function<void()>& slow, const std::function<void()>& fast) {
  std::vector<double> times, ratios;
  for (int i = 0; i < repetitions_; ++i) {
    const double first = time_of(slow).wall;
    times.push_back(time_of(fast).wall);
    ratios.push_back(first / times.back());
  }
  Row row;
  row.name = name, row.seconds = median(times), row.ratio = median(ratios);
  return row;
}

Row Bench::share(const std::string& name, const std::function<void()>& one, const std::function<void()>& many,
                 int more) {
  std::vector<double> times, shares;
  for (int i = 0; i < repetitions_; ++i) {
    times.push_back(time_of(one).wall);
    shares.push_back((time_of(many).wall / times.back() - 1) / more);
  }
  Row row;
  row.name = name, row.seconds = median(times), row.fraction = median(shares);
  return row;
}

void Bench::report(const Row& r) const {
  if (on_request_) return;
  std::printf(
      "{\"name\": \"%s\", \"seconds\": %.6f, \"gflop\": %.1f, \"gbyte\": %.2f, \"fraction\": %.4f, \"cpuFraction\": "
      "%.4f, \"ratio\": %.3f, "
      "\"error\": %.2e, \"bytesPlanned\": %.0f, \"bytesPeak\": %.0f}\n",
      r.name.c_str(), r.seconds, r.gflop, r.gbyte, r.fraction, r.cpu_fraction, r.ratio,
      r.error, r.bytes_planned, r.bytes_peak);
  std::fflush(stdout);
}

double seconds_of(const std::function<void()>& work) { return time_of(work).wall; }

double memory_peak() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == "VmHWM:") {
      double kib = 0;
      status >> kib;
      return kib * 1024;
    }
  return 0;
}

void reset_memory_peak() {
  std::ofstream file("/proc/self/clear_refs");
  file << "5";
}

std::vector<float> numbers(int64_t n, unsigned seed, float scale) {
  std::vector<float> v(static_cast<size_t>(n));
  uint32_t state = seed * 2654435761u + 1;
  for (float& x : v) {
    state = state * 1664525u + 1013904223u;
    x = bf16_to_f32(f32_to_bf16((static_cast<float>(state >> 8) / 8388608.0f - 1) * scale));
  }
  return v;
}

double relative_error(const std::vector<double>& exact, const std::vector<double>& got) {
  double difference = 0, size = 0;
  for (size_t i = 0; i < exact.size(); ++i)
    difference += (got[i] - exact[i]) * (got[i] - exact[i]), size += exact[i] * exact[i];
  return std::sqrt(difference / size);
}

}  // namespace ipa::bench
