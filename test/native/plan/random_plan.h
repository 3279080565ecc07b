#pragma once
// Small plans that follow from a seed: chains and branches, residuals, views, image-prompt attention and values read
// several times, with every op that fold.cpp knows.
#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "plan/builder.h"

namespace ipa::test {

class RandomPlan {
 public:
  explicit RandomPlan(uint64_t seed) : random_(seed) {}

  Plan record(int steps) {
    const int64_t n = 1 + below(2);
    values_.push_back(b_.input("x", {n, 1 + below(6), 1 + below(6), 4 * (1 + below(3))}));
    for (int i = 0; i < steps; ++i) values_.push_back(step(pick()));
    b_.output("last", values_.back());
    for (int i = below(3); i > 0; --i) b_.output("kept" + std::to_string(i), pick());
    return b_.finish();
  }

 private:
  int below(int bound) { return static_cast<int>(random_() % static_cast<uint64_t>(bound)); }
  std::string fresh(const char* kind) { return kind + std::to_string(names_++); }
  int width() { return 4 * (1 + below(3)); }

  // Mostly one of the newest, so that chains grow long enough to be folded.
  Value pick() {
    const int count = static_cast<int>(values_.size());
    const int from = below(3) ? std::max(0, count - 3) : 0;
    return values_[static_cast<size_t>(from + below(count - from))];
  }

  // A value of x's shape made by another op, or by a convolution of x where there is none.
  Value partner(const Value& x) {
    std::vector<Value> fitting;
    for (const Value& v : values_)
      if (v.shape == x.shape) fitting.push_back(v);
    if (fitting.size() < 2 || below(2)) return b_.conv2d(fresh("conv"), x, static_cast<int>(x.shape.c));
    return fitting[static_cast<size_t>(below(static_cast<int>(fitting.size())))];
  }

  Value attention(const Value& x) {
    const int channels = static_cast<int>(x.shape.c), heads = 1 + below(2);
    const Value q = b_.linear(fresh("to_q"), x, channels, false);
    const auto attend = [&](int64_t batch) {
      const Shape keys{batch, 1, 1 + below(5), x.shape.c};
      const Value k = b_.input(fresh("k"), keys);
      return b_.attend(q, k, b_.input(fresh("v"), keys), heads);
    };
    Value y = attend(x.shape.n);
    for (int prompts = below(3); prompts > 0; --prompts) {
      const Value mask = below(2) ? b_.input(fresh("mask"), {1, x.shape.h, x.shape.w, 1}) : Value{};
      y = b_.add_scaled(y, attend(below(2) ? 1 : x.shape.n), b_.input("scales", {1, 1, 1, 3}), prompts, mask);
    }
    return y;
  }

  Value step(const Value& x) {
    const Shape& s = x.shape;
    const int channels = static_cast<int>(s.c);
    switch (below(14)) {
      case 0:
        return b_.conv2d(fresh("conv"), x, width(), below(2) ? 3 : 1, 1 + below(2));
      case 1:
        return b_.linear(fresh("linear"), x, width(), below(2) == 0);
      case 2: {
        const Value normed = b_.group_norm(fresh("norm"), x, 1 << below(3), 1e-5f);
        return below(2) ? b_.silu(normed) : normed;
      }
      case 3:
        return b_.layer_norm(fresh("norm"), x);
      case 4:
      case 5: {
        constexpr Function kSome[] = {Function::silu,       Function::gelu, Function::relu,
                                      Function::quick_gelu, Function::tanh, Function::sigmoid};
        return b_.apply(kSome[below(6)], x);
      }
      case 6:
      case 7:
        return below(2) ? b_.add(x, partner(x)) : b_.add(partner(x), x);
      case 8: {
        const Value to = below(2) ? b_.conv2d(fresh("conv"), x, channels) : x;
        return b_.add_channel(to, b_.input(fresh("channel"), {below(2) ? 1 : s.n, 1, 1, s.c}));
      }
      case 9:
        return b_.geglu(b_.linear(fresh("proj"), x, 2 * channels));
      case 10:
        return attention(x);
      case 11:
        return s.c > 24 ? b_.channels(x, 4, 8) : b_.concat({x, partner(x)});
      case 12: {
        const Value up = b_.upsample(x, s.h + below(4), s.w + below(4));
        return below(3) ? b_.conv2d(fresh("conv"), up, channels) : up;
      }
      default:
        return b_.reshape(x, {s.n, 1, s.tokens(), s.c});
    }
  }

  std::mt19937_64 random_;
  Builder b_;
  std::vector<Value> values_;
  int names_ = 0;
};

inline Plan random_plan(uint64_t seed) { return RandomPlan(seed).record(6 + static_cast<int>(seed % 25)); }

}  // namespace ipa::test
