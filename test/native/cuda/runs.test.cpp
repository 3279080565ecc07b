// A program run over and over, as a step loop does.
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "block.h"
#include "plan/builder.h"
#include "running.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

// Cross-attention over keys and values that are inputs, and two views of one more input.
Plan attention_plan() {
  Builder b;
  const Value x = b.input("x", {2, 3, 4, 16}), k = b.input("k", {2, 1, 5, 16}), v = b.input("v", {2, 1, 5, 16});
  const Value context = b.reshape(b.input("context", {2, 1, 7, 16}), {1, 1, 14, 16}),
              row = b.input("row", {1, 1, 1, 1});
  const Value q = b.linear("to_q", b.layer_norm("norm", x), 16);
  Value y = b.attend(q, k, v, 2);
  y = b.add_scaled(
      y, b.attend(q, b.reshape(b.linear("to_k", context, 16), {2, 1, 7, 16}), b.reshape(context, {2, 1, 7, 16}), 2),
      row, 0);
  b.output("y", b.linear("to_out", y, 16));
  Plan plan = b.finish();
  plan.compute_with(Compute::f16);
  return fold(plan);
}

std::vector<float> first_result(const Plan& plan, const Tensors& inputs) {
  Running fresh(plan);
  fresh.set(inputs);
  fresh.run();
  return fresh.output("y");
}

TEST("cuda runs: inputs that are multiplied are cast once, and again after any way of writing to them") {
  const Plan plan = attention_plan();
  Running running(plan);
  const Backend& backend = running.card.backend;
  Tensors inputs = random_inputs(plan);
  running.set(inputs);
  const uint64_t first = running.run();
  const std::vector<float> y = running.output("y");
  const uint64_t all = running.run();
  EXPECT_EQ(all, 5u);         // norm, to_q, to_k, attend, to_out
  EXPECT_EQ(first, all + 3);  // k, v, context
  EXPECT(running.output("y") == y);

  const std::vector<float> other = normals(static_cast<int64_t>(inputs["k"].size()), 1, 7);
  const size_t bytes = other.size() * sizeof(float);
  const Memory elsewhere(backend, 2 * bytes);
  backend.write(backend.self, elsewhere.place(), other.data(), bytes);
  backend.write(backend.self, elsewhere.place(bytes), inputs["k"].data(), bytes);
  const Place k = running.input("k");
  const std::pair<const char*, std::function<void()>> ways[] = {
      {"write", [&] { running.set("k", other); }},
      {"copy",
       [&] {
         const Copy copy{elsewhere.place(), k, bytes};
         backend.copy(backend.self, &copy, 1);
       }},
      {"combine",
       [&] {
         const Term term{1, elsewhere.place()};
         backend.combine(backend.self, k, &term, 1, other.size());
       }},
      {"guide", [&] { backend.guide(backend.self, elsewhere.place(bytes), elsewhere.place(), 1, 0, k, other.size()); }},
  };
  for (const auto& [name, way] : ways) {
    running.set("k", inputs["k"]);
    running.run();
    const uint64_t before = running.card.device.launches();
    way();
    const uint64_t its_own = running.card.device.launches() - before;
    std::vector<float> now(other.size());
    backend.read(backend.self, k, now.data(), bytes);
    Tensors changed = inputs;
    changed["k"] = now;
    EXPECT_EQ(running.run(), all + 1);
    EXPECT(its_own == (std::string(name) == "write" ? 0u : 1u));
    EXPECT(running.output("y") != y);
    if (running.output("y") != first_result(plan, changed))
      failed(__FILE__, __LINE__, std::string(name) + ": another result");
    EXPECT_EQ(running.run(), all);
  }
  running.set("k", inputs["k"]);
  running.set("row", {0.5f});  // is not multiplied
  EXPECT_EQ(running.run(), all + 1);
  running.set("x", inputs["x"]);  // is normalised first
  EXPECT_EQ(running.run(), all);
  // A part of an input, its last number alone.
  backend.write(backend.self, running.input("v").at(bytes - sizeof(float)), other.data(), sizeof(float));
  EXPECT_EQ(running.run(), all + 1);
}

}  // namespace
