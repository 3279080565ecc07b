// Plans in bands give the numbers of the whole: decoder, encoder and random chains, down to the least room; and what
// cannot be in bands is left alone.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "cpu/table.h"
#include "models/vae.h"
#include "numbers.h"
#include "plan/builder.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

int64_t bytes_of(const Plan& plan) { return place(plan).bytes; }

int64_t moments_in(const Plan& plan) {
  return std::count_if(plan.nodes.begin(), plan.nodes.end(),
                       [](const Node& node) { return std::holds_alternative<Moments>(node.op); });
}

// Room after room, each a seventh less, until there is no plan any more. Returns the least share of the whole.
double expect_same(const Plan& plan, const std::string& what, const cpu::Level& level = cpu::level("naive")) {
  const Tensors weights = weights_of(plan, synthetic("bands", index_of(plan.weights))), inputs = signals(plan);
  RunOptions options;
  options.level = &level;
  const Tensors want = run_plan(plan, weights, inputs, options).outputs;
  const int64_t whole = bytes_of(plan);
  double least = 1;
  std::set<size_t> seen;
  for (int64_t room = whole - 1;; room = room * 6 / 7) {
    const std::optional<Plan> banded = in_bands(plan, room, bytes_of);
    if (!banded) return least;
    EXPECT(bytes_of(*banded) <= room);
    EXPECT(banded->inputs == plan.inputs && banded->outputs == plan.outputs);
    EXPECT_EQ(banded->weights.size(), plan.weights.size());
    least = static_cast<double>(bytes_of(*banded)) / static_cast<double>(whole);
    if (!seen.insert(banded->nodes.size()).second) continue;
    const Tensors got = run_plan(*banded, weights, inputs, options).outputs;
    for (const auto& [name, values] : want) {
      EXPECT_CLOSE(got.at(name), values, 2e-5 * static_cast<double>(largest(values)),
                   what + ", " + name + " in " + std::to_string(room) + " of " + std::to_string(whole));
    }
  }
}

VaeConfig small_vae() {
  VaeConfig vae;
  vae.widths = {8, 8, 8, 8}, vae.layers = 1, vae.groups = 4;
  return vae;
}

TEST("bands: a decoder gives the same picture in less room") {
  for (const int64_t n : {1, 2})
    for (const auto& [h, w] : {std::pair{8, 3}, {5, 4}}) {
      Builder b;
      record_vae_decode(b, small_vae(), n, h, w);
      EXPECT(expect_same(fold(b.finish()), "decoder of " + std::to_string(h)) < 0.65);
    }
}

TEST("bands: an encoder too, whose first layers are the large ones") {
  Builder b;
  record_vae_encode(b, small_vae(), 1, 64, 24);
  EXPECT(expect_same(fold(b.finish()), "encoder") < 0.4);
}

TEST("bands: on every level that computes in f32") {
  Builder b;
  record_vae_decode(b, small_vae(), 1, 4, 3);
  const Plan plan = fold(b.finish());
  for (const cpu::Level* level : cpu::levels()) {
    const std::string_view name = level->name;
    if (!name.ends_with("bf16") && !name.ends_with("amx")) expect_same(plan, level->name, *level);
  }
}

// Convolutions of many kinds, with and without norms, residuals, an upsample or a stride.
Plan chain(uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto below = [&](int bound) { return static_cast<int>(random() % static_cast<uint64_t>(bound)); };
  Builder b;
  int names = 0;
  const auto fresh = [&](const char* kind) { return kind + ("_" + std::to_string(names++)); };
  Value x = b.input("x", {1 + below(2), 8 * (1 + below(4)), 3 + below(5), 8});
  for (int steps = 2 + below(7); steps > 0; --steps) {
    switch (below(6)) {
      case 0: {
        Window window = square(1 + 2 * below(3));
        if (below(3) == 0) window.dilation_h = 2, window.pad_top *= 2, window.pad_bottom *= 2;
        if (below(3) == 0) window.pad_bottom += window.pad_top, window.pad_top = 0;
        x = b.conv2d(fresh("conv"), x, 8, window);
        break;
      }
      case 1:
        x = b.conv2d(fresh("up"), b.upsample(x, x.shape.h * 2, x.shape.w * 2), 8);
        break;
      case 2: {
        Window window = square(3, 2);
        if (below(2)) window.pad_top = window.pad_left = 0;
        if (x.shape.h % 2 == 0 && x.shape.w > 2) x = b.conv2d(fresh("down"), x, 8, window);
        break;
      }
      case 3:
        x = b.group_norm(fresh("norm"), x, 1 << below(3), 1e-5f);
        break;
      default: {
        Value h = b.conv2d(fresh("conv1"), b.silu(b.group_norm(fresh("norm1"), x, 4, 1e-5f)), 8);
        if (below(2)) h = b.conv2d(fresh("conv2"), b.silu(b.group_norm(fresh("norm2"), h, 2, 1e-5f)), 8);
        x = b.add(h, below(2) ? x : b.conv2d(fresh("skip"), x, 8, 1));
      }
    }
  }
  b.output("y", b.conv2d("last", x, 3));
  return fold(b.finish());
}

TEST("bands: random chains of convolutions and norms") {
  int banded = 0, with_moments = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const Plan plan = chain(seed);
    banded += expect_same(plan, "chain " + std::to_string(seed)) < 1;
    const std::optional<Plan> some = in_bands(plan, bytes_of(plan) - 1, bytes_of);
    with_moments += some && moments_in(*some) > 0;
  }
  EXPECT(banded > 25);
  EXPECT(with_moments > 15);
}

TEST("bands: a part runs as often as it has norms and once more, and whole parts stay as they are") {
  Builder b;
  const Value x = b.input("x", {1, 16, 4, 8});
  const Value h = b.conv2d("conv1", b.group_norm("norm1", b.conv2d("in", x, 64), 4, 1e-5f), 64);
  b.output("y", b.conv2d("conv2", b.group_norm("norm2", h, 4, 1e-5f), 8));
  const Plan plan = fold(b.finish());
  const auto runs = [](const Plan& of, const std::string& path) {
    return std::count_if(of.nodes.begin(), of.nodes.end(), [&](const Node& node) { return node.path == path; });
  };
  const std::optional<Plan> two = in_bands(plan, bytes_of(plan) * 5 / 6, bytes_of);
  EXPECT(two && moments_in(*two) == 4);
  if (!two) return;
  EXPECT_EQ(runs(*two, "in"), 3 * 2);
  EXPECT_EQ(runs(*two, "conv1"), 2 * 2);
  EXPECT_EQ(runs(*two, "conv2"), 2);
}

TEST("bands: what is read elsewhere, views, attention and other ops are in no band") {
  const auto refused = [](const char* what, const auto& record) {
    Builder b({"inner"});
    const Value x = b.conv2d("in", b.input("x", {1, 32, 4, 8}), 32);
    b.output("y", b.conv2d("last", record(b, x), 8));
    const Plan plan = fold(b.finish());
    if (in_bands(plan, bytes_of(plan) - 1, bytes_of)) failed(__FILE__, __LINE__, std::string(what) + " is in bands");
  };
  refused("a skip over all of it", [](Builder& b, Value x) {
    Value h = x;
    for (int i = 0; i < 2; ++i) h = b.layer_norm("norm" + std::to_string(i), h);
    return b.concat({h, x});
  });
  refused("a value that is kept",
          [](Builder& b, Value x) { return b.group_norm("norm", b.tap("inner", b.conv2d("conv", x, 32)), 4, 1e-5f); });
  refused("a view that is kept", [](Builder& b, Value x) {
    const Value kept = b.conv2d("conv", x, 32);
    b.output("view", b.reshape(kept, {1, 1, kept.shape.tokens(), 32}));
    return b.group_norm("norm", kept, 4, 1e-5f);
  });
  refused("attention over all pixels", [](Builder& b, Value x) {
    const Value k = b.reshape(b.linear("k", x, 32), {1, 1, x.shape.tokens(), 32});
    return b.attend(b.linear("q", x, 32), k, k, 1);
  });
  refused("an upsample by no whole factor",
          [](Builder& b, Value x) { return b.conv2d("up", b.upsample(x, 33, 4), 32); });
  refused("another function", [](Builder& b, Value x) { return b.apply(Function::tanh, x); });
}

}  // namespace
