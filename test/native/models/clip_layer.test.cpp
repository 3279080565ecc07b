// Attention from which a run of tokens is hidden, against a softmax over the keys that are left.
#include "models/clip_layer.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "cpu/table.h"
#include "run_plan.h"
#include "test.h"
#include "weights/synthetic.h"

namespace {

using namespace ipa;
using namespace ipa::test;

constexpr int64_t kTokens = 9, kWidth = 16;
constexpr int kHeads = 2;

// Keys up to the query, those of the run left out.
std::vector<float> naive(const std::vector<float>& q, const std::vector<float>& k, const std::vector<float>& v,
                         const HiddenTokens& hidden) {
  const int64_t d = kWidth / kHeads;
  std::vector<float> y(q.size());
  for (int64_t head = 0; head < kHeads; ++head)
    for (int64_t i = 0; i < kTokens; ++i) {
      double sum = 0;
      std::vector<double> mixed(static_cast<size_t>(d));
      for (int64_t j = 0; j <= i; ++j) {
        if (j >= hidden.first && j < hidden.first + hidden.count) continue;
        double score = 0;
        const auto at = [&](int64_t token, int64_t c) { return static_cast<size_t>(token * kWidth + head * d + c); };
        for (int64_t c = 0; c < d; ++c) score += static_cast<double>(q[at(i, c)]) * static_cast<double>(k[at(j, c)]);
        const double weight = std::exp(score / std::sqrt(static_cast<double>(d)));
        sum += weight;
        for (int64_t c = 0; c < d; ++c) mixed[static_cast<size_t>(c)] += weight * static_cast<double>(v[at(j, c)]);
      }
      for (int64_t c = 0; c < d; ++c)
        y[static_cast<size_t>(i * kWidth + head * d + c)] = static_cast<float>(mixed[static_cast<size_t>(c)] / sum);
    }
  return y;
}

TEST("attention without hidden tokens is a softmax over the keys that are left") {
  const auto numbers = [](const std::string& name) { return synthetic_signal(name, kTokens * kWidth); };
  const std::vector<float> q = numbers("q"), k = numbers("k"), v = numbers("v");
  for (const HiddenTokens& hidden : {HiddenTokens{1, 1}, HiddenTokens{3, 2}, HiddenTokens{2, 6}}) {
    Builder b;
    const Shape shape{1, 1, kTokens, kWidth};
    b.output("y", attend_without(b, b.input("q", shape), b.input("k", shape), b.input("v", shape), kHeads, hidden));
    const Plan plan = b.finish();
    for (const cpu::Level* level : cpu::levels()) {
      const RunResult result = run_plan(plan, {}, {{"q", q}, {"k", k}, {"v", v}}, {level});
      // f32 sums of nine terms
      EXPECT_CLOSE(result.outputs.at("y"), naive(q, k, v, hidden), 1e-5,
                   std::to_string(hidden.first) + " + " + std::to_string(hidden.count) + " on " + level->name);
    }
  }
}

}  // namespace
