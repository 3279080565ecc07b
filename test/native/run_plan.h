#pragma once
// Runs a plan once on one CPU level: weights by path, inputs by name, outputs by name.
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/stop.h"
#include "core/threads.h"
#include "cpu/backend.h"
#include "cpu/table.h"
#include "plan/plan.h"

namespace ipa::test {

using Tensors = std::map<std::string, std::vector<float>>;

struct RunOptions {
  const cpu::Level* level = &cpu::default_level();
  int threads = 1;
  bool check = false;
};

struct RunResult {
  RunStatus status;
  std::string path;  // of the node that made a NaN
  Tensors outputs;
};

// A plan prepared for a level, with its own memory.
class PreparedPlan {
 public:
  PreparedPlan(const Plan& plan, const Tensors& weights, const RunOptions& options)
      : plan_(plan),
        check_(options.check),
        pool_(options.threads),
        device_{*options.level, pool_},
        backend_(cpu::make_backend(device_)) {
    std::vector<WeightPlace> places;
    for (const WeightWant& want : plan.weights) {
      const std::vector<float>& from = find(weights, want.path, product(want.dims));
      const DType stored = backend_.stored_type(backend_.self, want, DType::f32);
      packed_.emplace_back(backend_, backend_.packed_bytes(backend_.self, want, stored));
      const Place to = packed_.back().place();
      backend_.pack(backend_.self, want, stored, {0, pack_rows(want), from.data(), DType::f32}, to);
      places.push_back({to, stored});
    }
    program_ = backend_.prepare(backend_.self, plan, layout_of(backend_, plan), places.data());
  }
  ~PreparedPlan() { backend_.release(program_); }
  PreparedPlan(const PreparedPlan&) = delete;
  PreparedPlan& operator=(const PreparedPlan&) = delete;

  RunResult run(const Tensors& inputs, const StopFlag& stop = {}) {
    size_t i = 0;
    for (const auto& [name, id] : plan_.inputs) {
      const std::vector<float>& from = find(inputs, name, plan_.values[id].shape.size());
      backend_.write(backend_.self, backend_.input(*program_, i++), from.data(), from.size() * sizeof(float));
    }
    return run_again(stop);
  }

  // With the inputs as they were set.
  RunResult run_again(const StopFlag& stop = {}) {
    RunResult result;
    result.status = backend_.run(*program_, stop, check_);
    result.path = backend_.status_path(*program_);
    size_t i = 0;
    for (const auto& [name, id] : plan_.outputs) {
      std::vector<float>& to = result.outputs[name];
      to.resize(static_cast<size_t>(plan_.values[id].shape.size()));
      backend_.read(backend_.self, backend_.output(*program_, i++), to.data(), to.size() * sizeof(float));
    }
    return result;
  }

 private:
  static const std::vector<float>& find(const Tensors& tensors, const std::string& name, int64_t count) {
    const auto found = tensors.find(name);
    if (found == tensors.end()) throw std::runtime_error("the test gives no tensor " + name);
    if (static_cast<int64_t>(found->second.size()) != count)
      throw std::runtime_error(name + " has " + std::to_string(found->second.size()) + " numbers, the plan wants " +
                               std::to_string(count));
    return found->second;
  }

  Plan plan_;
  bool check_;
  ThreadPool pool_;
  cpu::Device device_;
  Backend backend_;
  std::vector<Memory> packed_;
  Program* program_ = nullptr;
};

inline RunResult run_plan(const Plan& plan, const Tensors& weights, const Tensors& inputs,
                          const RunOptions& options = {}) {
  return PreparedPlan(plan, weights, options).run(inputs);
}

}  // namespace ipa::test
