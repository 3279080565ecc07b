#pragma once
// A program of a plan that is run over and over, by default on a card of its own.
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/stop.h"
#include "cuda/card.h"
#include "models/runner.h"
#include "test.h"
#include "weights/synthetic.h"

namespace ipa::test {

inline TensorSource weights_of(const Plan& plan) { return synthetic("cuda", index_of(plan.weights)); }

struct Running {
  explicit Running(Plan its_plan, std::shared_ptr<EmulatedCard> its_card = std::make_shared<EmulatedCard>())
      : owned(std::move(its_card)),
        card(*owned),
        plan(std::move(its_plan)),
        store(card.backend, card.pool, plan.weights, weights_of(plan)),
        program(card.backend.prepare(card.backend.self, plan, place(plan), store.places(plan).data()),
                card.backend.release) {}

  Place input(const std::string& name) const {
    return card.backend.input(*program,
                              static_cast<size_t>(std::distance(plan.inputs.begin(), plan.inputs.find(name))));
  }
  void set(const std::string& name, const std::vector<float>& numbers) {
    card.backend.write(card.backend.self, input(name), numbers.data(), numbers.size() * sizeof(float));
  }
  void set(const Tensors& inputs) {
    for (const auto& [name, numbers] : inputs) set(name, numbers);
  }
  // What the run launched.
  uint64_t run(bool check = false) {
    const uint64_t before = card.device.launches();
    EXPECT(card.backend.run(*program, StopFlag(), check) == RunStatus::done);
    return card.device.launches() - before;
  }
  std::vector<float> output(const std::string& name) const {
    std::vector<float> numbers(
        static_cast<size_t>(plan.values[static_cast<size_t>(plan.outputs.at(name))].shape.size()));
    const auto number = std::distance(plan.outputs.begin(), plan.outputs.find(name));
    card.backend.read(card.backend.self, card.backend.output(*program, static_cast<size_t>(number)), numbers.data(),
                      numbers.size() * sizeof(float));
    return numbers;
  }

  std::shared_ptr<EmulatedCard> owned;
  EmulatedCard& card;
  Plan plan;
  Store store;
  std::unique_ptr<Program, void (*)(Program*)> program;
};

}  // namespace ipa::test
