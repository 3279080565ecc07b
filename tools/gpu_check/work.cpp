#include "work.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "core/dtype.h"

namespace ipa::gpu_check {

namespace {

// source: splitmix64, https://prng.di.unimi.it/splitmix64.c
uint64_t next(uint64_t& state) {
  uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

// The sum of four uniform 16-bit numbers, scaled to variance 1.
float number(uint64_t& state) {
  const uint64_t word = next(state);
  int sum = 0;
  for (int i = 0; i < 4; ++i) sum += static_cast<int>(word >> 16 * i & 0xffff);
  return (static_cast<float>(sum) - 131070.0f) / 37837.0f;
}

constexpr size_t kAligned = 256;

}  // namespace

std::vector<float> drawn32(size_t count, uint64_t seed, float scale) {
  std::vector<float> all(count);
  uint64_t state = seed;
  for (float& x : all) x = number(state) * scale;
  return all;
}

// A table of some thousand numbers in an order that is drawn: converting each would take most of the time.
std::vector<uint16_t> drawn16(size_t count, uint64_t seed, bool brain, float scale) {
  constexpr size_t kTable = 1 << 14;
  uint64_t state = seed;
  std::vector<uint16_t> table(kTable), all(count);
  for (uint16_t& x : table) {
    const float value = number(state) * scale;
    x = brain ? f32_to_bf16(value) : f32_to_f16(value);
  }
  for (size_t i = 0; i < count;) {
    uint64_t word = next(state);
    for (int part = 0; part < 4 && i < count; ++part, word >>= 16) all[i++] = table[word % kTable];
  }
  return all;
}

float wide16(uint16_t bits, bool brain) { return brain ? bf16_to_f32(bits) : f16_to_f32(bits); }

Copies::Copies(driver::Device& device, size_t bytes, int copies, const char* what)
    : device_(device),
      bytes_(bytes),
      step_((bytes + kAligned - 1) / kAligned * kAligned),
      copies_(copies),
      memory_(device.allocate(step_ * static_cast<size_t>(copies), what)) {}

void Copies::upload(const void* from) {
  device_.upload(at(0), from, bytes_);
  for (int copy = 1; copy < copies_; ++copy) device_.copy(at(copy), at(0), bytes_);
}

int copies_for(const Card& card, size_t bytes) {
  if (card.emulated) return 2;
  const size_t enough = 2 * std::max(card.device.properties().l2_bytes, size_t{1} << 20);
  return static_cast<int>(std::clamp<size_t>(enough / std::max<size_t>(bytes, 1) + 2, 2, 96));
}

Timed timed(Card& card, int repeats, const std::function<void()>& run) {
  driver::Device& device = card.device;
  driver::Event before(device), after(device);
  std::vector<double> all;
  for (int i = -3; i < repeats; ++i) {
    before.record(device);
    run();
    after.record(device);
    const double ms = after.since(before);
    if (i >= 0) all.push_back(ms);
  }
  std::sort(all.begin(), all.end());
  const double median = all[all.size() / 2];
  return {median, median > 0 ? (all[all.size() * 3 / 4] - all[all.size() / 4]) / median : 0};
}

namespace {

// All copies in a row as one graph, so that the host is not what is measured; time and spread of one of them.
Timed timed_in_turn(Card& card, const Work& work, int repeats) {
  driver::Commands commands;
  for (int copy = 0; copy < work.copies; ++copy) work.add(commands, copy);
  driver::Graph graph(card.device, commands);
  const Timed all = timed(card, repeats, [&] { graph.run(card.device); });
  return {all.ms / work.copies, all.spread};
}

std::vector<std::byte> once(Card& card, const Work& work) {
  card.device.fill(work.out->at(0), 0xffffffff, work.out->bytes() / 4);
  driver::Commands commands;
  work.add(commands, 0);
  card.device.run(commands);
  std::vector<std::byte> result(work.out->bytes());
  card.device.download(result.data(), work.out->at(0), result.size());
  return result;
}

}  // namespace

double quick_ms(Card& card, const Work& work, int repeats) { return timed_in_turn(card, work, repeats).ms; }

void measure(Card& card, const Options& options, Work& work, Report& report) {
  Measurement& row = work.row;
  const std::string what = row.kernel + " " + row.shape;
  std::vector<std::byte> first = once(card, work);
  if (options.damage == row.kernel) first[first.size() / 2 | 3] ^= std::byte{0x40};
  if (first != once(card, work)) report.failures.push_back(what + ": two runs gave different bits");
  double difference = 0, size = 0;
  for (const auto& [got, expected] : work.samples(first)) {
    difference += (got - expected) * (got - expected), size += expected * expected;
    if (std::isnan(got)) difference = NAN;
  }
  row.error = std::sqrt(difference / std::max(size, 1e-30));
  if (!(row.error <= row.limit))
    report.failures.push_back(what + ": error " + std::to_string(row.error) + ", at most " + std::to_string(row.limit));
  if (card.emulated) row.target = 0;
  const Timed time = timed_in_turn(card, work, card.emulated ? 1 : 20);
  const Timed again = card.emulated ? time : timed_in_turn(card, work, 20);  // the spread between both counts too
  row.ms = std::min(time.ms, again.ms);
  row.spread = std::max({time.spread, again.spread, std::abs(time.ms - again.ms) / row.ms});
  std::printf("%-34s %-24s %9.4f ms, error %.1e\n", row.kernel.c_str(), row.shape.c_str(), row.ms, row.error);
  report.rows.push_back(row);
}

}  // namespace ipa::gpu_check
