// A program run over and over, as a step loop does.
#include <cstdint>
#include <cstring>
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
namespace driver = ipa::cuda::driver;

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

// A float for float comparison would take -0 for 0.
bool same_bytes(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

Plan block_plan() {
  Plan plan = block(40, 4, 6);
  plan.compute_with(Compute::f16);
  return fold(plan);
}

TEST("cuda runs: a replayed graph gives the bytes of direct launches, and is made once") {
  const Plan plan = block_plan();
  Running direct(plan), replayed(plan);
  Tensors inputs = random_inputs(plan);
  direct.set(inputs), replayed.set(inputs);
  uint64_t first = 0;
  std::vector<float> before;
  for (int step = 0; step < 4; ++step) {
    for (float& scale : inputs["row"]) scale = step == 2 ? 0 : 0.25f * static_cast<float>(step + 1);
    direct.set("row", inputs["row"]), replayed.set("row", inputs["row"]);
    direct.run(true);
    const uint64_t calls = replayed.card.plugged.calls();
    const size_t live = replayed.card.plugged.live_bytes();
    const uint64_t launches = replayed.run();
    const uint64_t of_run = replayed.card.plugged.calls() - calls;
    if (step == 0)
      first = of_run;
    else
      EXPECT(of_run <= 4);  // the graph, the wait for it, each with the context made current
    EXPECT(launches > 15);
    EXPECT_EQ(replayed.card.plugged.live_bytes(), live);
    const std::vector<float> y = replayed.output("y");
    EXPECT(same_bytes(y, direct.output("y")));
    EXPECT(!same_bytes(y, before));
    before = y;
  }
  EXPECT(first > 20);
  // A checked run in between changes nothing, nor does a change of an input that is kept as operands.
  replayed.run(true);
  EXPECT(same_bytes(replayed.output("y"), before));
  inputs["image"] = normals(static_cast<int64_t>(inputs["image"].size()), 1, 5);
  direct.set(inputs), replayed.set(inputs);
  direct.run(true), replayed.run();
  EXPECT(same_bytes(replayed.output("y"), direct.output("y")));
  EXPECT(!same_bytes(replayed.output("y"), before));
  for (const Running* its : {&direct, &replayed}) EXPECT(its->card.plugged.complaints().empty());
}

TEST("cuda runs: a raised stop flag ends a run before it begins") {
  Running running(attention_plan());
  running.set(random_inputs(running.plan));
  running.run();
  StopFlag stop;
  stop.raise();
  const uint64_t launches = running.card.device.launches();
  for (const bool check : {false, true})
    EXPECT(running.card.backend.run(*running.program, stop, check) == RunStatus::stopped);
  EXPECT_EQ(running.card.device.launches(), launches);
}

TEST("cuda runs: a call that fails in a run leaves nothing behind, and the next run is as good as ever") {
  const Plan plan = attention_plan();
  const Tensors inputs = random_inputs(plan);
  Running whole(plan);
  whole.set(inputs);
  uint64_t before = whole.card.plugged.calls();
  whole.run();
  const uint64_t first = whole.card.plugged.calls() - before;
  before = whole.card.plugged.calls();
  whole.run();
  const uint64_t later = whole.card.plugged.calls() - before;
  const std::vector<float> want = whole.output("y");
  for (const driver::Result result : {driver::kOutOfMemory, driver::kInvalidValue, driver::kLaunchFailed})
    for (const bool again : {false, true})
      for (uint64_t k = 1; k <= (again ? later : first); ++k) {
        const std::string what = (again ? "a later run, call " : "the first run, call ") + std::to_string(k);
        const auto on = std::make_shared<EmulatedCard>();
        EmulatedCard& card = *on;
        const size_t live = card.plugged.live_bytes();
        bool thrown = false;
        {
          Running running(plan, on);
          running.set(inputs);
          if (again) running.run();
          card.plugged.fail_call(card.plugged.calls() + k, result);
          try {
            running.run();
          } catch (const Error& error) {
            thrown = true;
            if (result == driver::kOutOfMemory) EXPECT(error.code == Code::DEVICE_OUT_OF_MEMORY);
          }
          if (card.device.lost()) {
            EXPECT_CODE(running.run(), Code::DEVICE_LOST);
          } else {
            running.run();
            if (!same_bytes(running.output("y"), want)) failed(__FILE__, __LINE__, what + ": another result after it");
          }
        }
        if (!thrown && !again) continue;  // a graph's own memory that could not be given back
        EXPECT(thrown);
        if (!card.device.lost()) EXPECT_EQ(card.plugged.live_bytes(), live);  // a lost one's goes with its context
        for (const std::string& text : card.plugged.complaints()) failed(__FILE__, __LINE__, what + ": " + text);
      }
}

}  // namespace
