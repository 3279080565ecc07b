// What a backend offers between the runs of plans: memory, and the arithmetic of a step loop.
#include <cmath>
#include <numeric>

#include "cpu/backend.h"
#include "cpu/memory.h"
#include "cpu/table.h"
#include "runtime/step_row.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

struct OnCpu {
  ThreadPool pool{1};
  cpu::Device device{cpu::default_level(), pool};
  Backend backend = cpu::make_backend(device);

  Place holding(const Memory& memory, size_t offset, const std::vector<float>& numbers) const {
    backend.write(backend.self, memory.place(offset), numbers.data(), numbers.size() * sizeof(float));
    return memory.place(offset);
  }
  std::vector<float> read(Place from, size_t count) const {
    std::vector<float> numbers(count);
    backend.read(backend.self, from, numbers.data(), count * sizeof(float));
    return numbers;
  }
};

TEST("memory: what is written is read, copied and given back") {
  const OnCpu on;
  Memory memory(on.backend, 64), other(on.backend, 32);
  on.holding(memory, 0, {1, 2, 3, 4});
  const Copy copies[] = {{memory.place(4), memory.place(32), 8}, {memory.place(0), other.place(12), 16}};
  on.backend.copy(on.backend.self, copies, 2);
  EXPECT(on.read(memory.place(32), 2) == (std::vector<float>{2, 3}));
  EXPECT(on.read(other.place(12), 4) == (std::vector<float>{1, 2, 3, 4}));
  const Memory moved = std::move(other);
  EXPECT(other.place().buffer == nullptr);
  EXPECT(on.read(moved.place().at(16), 1) == (std::vector<float>{2}));
}

TEST("memory: a combination sums in f64 and reads nothing behind a factor of 0") {
  const OnCpu on;
  const Memory memory(on.backend, 256);
  const Place a = on.holding(memory, 0, {1, 1e8f}), b = on.holding(memory, 64, {3, -1e8f});
  const Place nan = on.holding(memory, 128, {std::nanf(""), INFINITY});
  const Term terms[] = {{0.5, a}, {0, nan}, {0.5, b}, {1e-3, a}};
  on.backend.combine(on.backend.self, a, terms, 4, 2);  // in place
  EXPECT(on.read(a, 2) == (std::vector<float>{2.001f, 1e5f}));
  const Term none[] = {{0, nan}};
  on.backend.combine(on.backend.self, b, none, 1, 2);
  EXPECT(on.read(b, 2) == (std::vector<float>{0, 0}));
  EXPECT(on.backend.finite(on.backend.self, a, 2));
  EXPECT(!on.backend.finite(on.backend.self, nan, 1));
  EXPECT(!on.backend.finite(on.backend.self, nan.at(4), 1));
}

TEST("memory: guidance, and its spread brought back") {
  const OnCpu on;
  const Memory memory(on.backend, 256);
  const Place u = on.holding(memory, 0, {1, 2, 3, 5}), c = on.holding(memory, 64, {2, 2, 1, 9});
  const Place y = memory.place(128);
  on.backend.guide(on.backend.self, u, c, 3, 0, y, 4);
  const std::vector<float> plain = {4, 2, -3, 17};
  EXPECT(on.read(y, 4) == plain);
  const auto deviation = [](const std::vector<float>& v) {
    const double mean = std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
    double sum = 0;
    for (const float x : v) sum += (static_cast<double>(x) - mean) * (static_cast<double>(x) - mean);
    return std::sqrt(sum / static_cast<double>(v.size() - 1));
  };
  const double factor = 0.7 * deviation({2, 2, 1, 9}) / deviation(plain) + 0.3;
  on.backend.guide(on.backend.self, u, c, 3, 0.7, u, 4);  // over one of its operands
  std::vector<float> expected;
  for (const float v : plain) expected.push_back(static_cast<float>(factor * static_cast<double>(v)));
  EXPECT(on.read(u, 4) == expected);
}

TEST("step state: a row keeps, saves, pushes and replaces as the contract says") {
  const OnCpu on;
  const std::vector<float> first = {1, 2};
  StepState state(on.backend, first);
  const Memory memory(on.backend, 64);
  const Place out = on.holding(memory, 0, {10, 20});
  const auto draw = [](std::span<float> to) {
    for (float& v : to) v = 100;
  };
  const auto x = [&] {
    std::vector<float> now(2);
    state.read_x(now);
    return now;
  };
  StepRow row;
  row.keep_x = 1, row.keep_out = 2;             // kept: 1 x + 2 out = 21, 42
  row.updates = {{1, 0, {1}, 0, false, true}};  // x = x + newest; the old x is saved
  state.apply(row, out, draw);
  EXPECT(x() == (std::vector<float>{22, 44}));
  row = {};
  row.updates = {{0, 1, {0, 1}, 0.5, true, false}};  // saved + the one before the newest + half the noise
  state.apply(row, out, draw);
  EXPECT(x() == (std::vector<float>{1 + 21 + 50, 2 + 42 + 50}));
  row.push = false;  // out replaces out: the one before stays
  row.updates = {{0, 0, {1, 1}, 0, false, false}};
  state.apply(row, out, draw);
  EXPECT(x() == (std::vector<float>{10 + 21, 20 + 42}));
  EXPECT(state.finite());
}

}  // namespace
