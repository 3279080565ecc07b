#pragma once
// Runs recorded plans on a CPU level, values by name.
#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/stop.h"
#include "core/threads.h"
#include "cpu/backend.h"
#include "cpu/table.h"
#include "golden.h"
#include "plan/builder.h"
#include "plan/plan.h"
#include "test.h"
#include "weights/store.h"

namespace ipa::test {

using Tensors = std::map<std::string, std::vector<float>>;

// A backend, and what its plans compute with: by default what it is fastest with.
struct Machine {
  // A CPU level with two threads.
  explicit Machine(const cpu::Level& level) : Machine(std::make_shared<Cpu>(level)) {}
  // `owner` keeps the others alive.
  Machine(std::shared_ptr<void> owner, ThreadPool& its_pool, Backend& its_backend)
      : pool(its_pool), backend(its_backend), owner_(std::move(owner)) {}
  ThreadPool& pool;
  Backend& backend;
  Compute with = backend.fastest;
  // "f32", or "bf16" where operands are rounded to it: the key of a golden's tolerance.
  std::string compute() const { return compute_text(with); }

 private:
  struct Cpu {
    explicit Cpu(const cpu::Level& level) : pool(2), device{level, pool}, backend(cpu::make_backend(device)) {}
    ThreadPool pool;
    cpu::Device device;
    Backend backend;
  };
  explicit Machine(const std::shared_ptr<Cpu>& cpu) : Machine(cpu, cpu->pool, cpu->backend) {}

  std::shared_ptr<void> owner_;
};

// Placed and run with its nodes as they are. Every input of the plan must be in `in`.
inline Tensors run_as_it_is(Machine& m, const Plan& plan, const Tensors& in, const TensorSource& source) {
  const Store store(m.backend, m.pool, plan.weights, source);
  const std::unique_ptr<Program, void (*)(Program*)> program(
      m.backend.prepare(m.backend.self, plan, layout_of(m.backend, plan), store.places(plan).data()),
      m.backend.release);
  size_t i = 0;
  for (const auto& [name, id] : plan.inputs) {
    const auto given = in.find(name);
    if (given == in.end()) throw std::runtime_error("the plan's input " + name + " is not given");
    if (static_cast<int64_t>(given->second.size()) != plan.values[id].shape.size())
      throw std::runtime_error("input " + name + " should be " + text(plan.values[id].shape));
    m.backend.write(m.backend.self, m.backend.input(*program, i++), given->second.data(),
                    given->second.size() * sizeof(float));
  }
  const StopFlag stop;
  if (m.backend.run(*program, stop, true) != RunStatus::done)
    throw std::runtime_error("not finite: " + m.backend.status_path(*program));
  Tensors out;
  i = 0;
  for (const auto& [name, id] : plan.outputs) {
    out[name].resize(static_cast<size_t>(plan.values[id].shape.size()));
    m.backend.read(m.backend.self, m.backend.output(*program, i++), out[name].data(), out[name].size() * sizeof(float));
  }
  return out;
}

// Folded first; a weightless plan needs no source.
inline Tensors run(Machine& m, const Plan& recorded, const Tensors& in, const TensorSource& source, Compute with) {
  Plan plan = fold(recorded);
  plan.compute_with(with);
  return run_as_it_is(m, plan, in, source);
}

inline Tensors run(Machine& m, const Plan& recorded, const Tensors& in, const TensorSource& source = {}) {
  return run(m, recorded, in, source, m.with);
}

// Shape of a golden tensor in our order: NCHW becomes NHWC, [A,B,C] tokens, [A,B] vectors, [A] numbers.
inline Shape nhwc_shape(const Dims& d) {
  switch (d.size()) {
    case 1:
      return {d[0], 1, 1, 1};
    case 2:
      return {d[0], 1, 1, d[1]};
    case 3:
      return {d[0], 1, d[1], d[2]};
    case 4:
      return {d[0], d[2], d[3], d[1]};
    default:
      throw std::runtime_error("golden tensor of rank " + std::to_string(d.size()));
  }
}

inline std::vector<float> nhwc(const Dims& dims, const std::vector<float>& from) {
  if (dims.size() != 4) return from;
  const Shape s = nhwc_shape(dims);
  std::vector<float> to(from.size());
  for (int64_t n = 0; n < s.n; ++n)
    for (int64_t c = 0; c < s.c; ++c)
      for (int64_t p = 0; p < s.tokens(); ++p)
        to[static_cast<size_t>((n * s.tokens() + p) * s.c + c)] =
            from[static_cast<size_t>((n * s.c + c) * s.tokens() + p)];
  return to;
}
inline std::vector<float> nhwc(const GoldenTensor& t) { return nhwc(t.dims, t.f32()); }

inline double rms(const std::vector<float>& v) {
  double sum = 0;
  for (const float x : v) sum += static_cast<double>(x) * x;
  return v.empty() ? 0 : std::sqrt(sum / static_cast<double>(v.size()));
}

// Compares every out/ and tap/ of the golden that `got` has under its bare name; `all` wants all outputs there.
inline void expect_golden(Machine& m, const Golden& g, const Tensors& got, bool all = true) {
  for (const auto& [key, tensor] : g.tensors) {
    if (key.starts_with("in/")) continue;
    const auto at = got.find(key.substr(4));
    if (at == got.end()) {
      if (all) failed(__FILE__, __LINE__, g.name + " " + key + " was not computed");
      continue;
    }
    const std::vector<float> expected = nhwc(tensor);
    EXPECT_CLOSE(at->second, expected, g.tolerance(m.compute()) * rms(expected),
                 g.name + " " + key + " on " + m.backend.name);
  }
}

inline std::set<std::string, std::less<>> taps(const Golden& g) {
  std::set<std::string, std::less<>> names;
  for (const auto& [key, tensor] : g.tensors)
    if (key.starts_with("tap/")) names.insert(key.substr(4));
  return names;
}

// Runs `check(machine)` on every level of this CPU.
template <typename F>
void on_every_level(F check) {
  for (const cpu::Level* level : cpu::levels()) {
    Machine machine(*level);
    check(machine);
  }
}

}  // namespace ipa::test
