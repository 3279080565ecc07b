// A plan and its folded form give the same numbers, up to the order of rounding: random plans, and a UNet with and
// without image prompts.
#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cpu/table.h"
#include "models/golden_model.h"
#include "models/unet.h"
#include "numbers.h"
#include "random_plan.h"
#include "run_plan.h"
#include "test.h"
#include "weights/synthetic.h"

namespace {

using namespace ipa;
using namespace ipa::test;

// Both forms on one level; `limit` is relative to the largest number of an output (at least 1).
void expect_same(const Plan& plain, const Plan& folded, const Tensors& weights, const Tensors& inputs,
                 const cpu::Level& level, double limit, const std::string& what) {
  RunOptions options;
  options.level = &level;
  const RunResult a = run_plan(plain, weights, inputs, options), b = run_plan(folded, weights, inputs, options);
  EXPECT(a.status == RunStatus::done && b.status == RunStatus::done);
  for (const auto& [name, values] : a.outputs)
    EXPECT_CLOSE(b.outputs.at(name), values, limit * static_cast<double>(largest(values)),
                 what + ", " + name + " on " + level.name);
}

// Levels that round operands to bf16 are left out: there one bit of f32 may move an operand by a 256th.
std::vector<const cpu::Level*> f32_levels() {
  std::vector<const cpu::Level*> levels = cpu::levels();
  std::erase_if(levels, [](const cpu::Level* level) {
    const std::string_view name = level->name;
    return name.ends_with("bf16") || name.ends_with("amx");
  });
  return levels;
}

// How often each rule was applied.
struct Rules {
  int function = 0, norm = 0, geglu = 0, channel = 0, residual = 0, upsample = 0, terms = 0;
  void count(const Plan& plan) {
    const auto epilogue = [&](const Epilogue& e) {
      function += e.function != Function::identity, geglu += e.geglu;
      channel += e.channel != kNone, residual += e.residual != kNone;
    };
    for (const Node& node : plan.nodes) {
      if (const auto* conv = std::get_if<Conv2d>(&node.op)) epilogue(conv->epilogue), upsample += conv->virtual_h > 0;
      if (const auto* linear = std::get_if<Linear>(&node.op)) epilogue(linear->epilogue);
      if (const auto* group = std::get_if<GroupNorm>(&node.op)) norm += group->function != Function::identity;
      if (const auto* attend = std::get_if<Attend>(&node.op)) terms += attend->terms.size() > 1;
    }
  }
};

TEST("fold: 300 random plans and their folded forms agree") {
  Rules rules;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const Plan plain = random_plan(seed), folded = fold(plain);
    rules.count(folded);
    const Tensors weights = weights_of(plain, synthetic("random", index_of(plain.weights)));
    // f32 rounded once more between ops, up to 30 in a row, group norms of near-constant groups among them: 2e-4
    for (const cpu::Level* level : f32_levels())
      expect_same(plain, folded, weights, signals(plain), *level, 2e-4, "seed " + std::to_string(seed));
  }
  // Each rule was met often enough to have been tested.
  EXPECT(rules.function >= 20);
  EXPECT(rules.norm >= 20);
  EXPECT(rules.geglu >= 20);
  EXPECT(rules.channel >= 20);
  EXPECT(rules.residual >= 20);
  EXPECT(rules.upsample >= 20);
  EXPECT(rules.terms >= 20);
}

TEST("fold: the UNet and its folded form agree with 0, 1 and 2 image prompts") {
  for (const char* name : {"unet15", "unetxl"}) {
    const GoldenModel model(name);
    const UNetConfig config = detect_unet(model.index, model.config);
    for (int prompts = 0; prompts <= 2; ++prompts) {
      Conditioning c;
      c.batch = 2;
      c.text_tokens = 7;
      c.time_rows = config.added_conditioning() ? 2 : 1;
      if (prompts > 0) c.image_prompts.push_back({4, false});
      if (prompts > 1) c.image_prompts.push_back({5, true});
      Builder b;
      record_unet(b, config, 9, 8, c);
      const Plan plain = b.finish(), folded = fold(plain);
      EXPECT(folded.nodes.size() < plain.nodes.size());
      Tensors inputs = signals(plain);
      if (prompts > 0) inputs.at("scales")[1] = 0;  // a term that is left out
      const Tensors weights = weights_of(plain, synthetic(model.prefix, model.index, model.factors));
      for (const cpu::Level* level : f32_levels())  // f32 over some 300 ops: 1e-4
        expect_same(plain, folded, weights, inputs, *level, 1e-4, model.prefix + " with " + std::to_string(prompts));
    }
  }
}

}  // namespace
