// Attention, one query of one head at a time: scores, softmax, weighted sum, once per term.
#include <algorithm>
#include <cmath>

#include "cpu/naive/result.h"

namespace ipa::cpu::naive {
namespace {

constexpr int64_t kParts = 16;  // each with a scratch of its own

int64_t longest(const AttendArgs& a) {
  int64_t tokens = 0;
  for (int i = 0; i < a.term_count; ++i) tokens = std::max(tokens, a.terms[i].tokens);
  return tokens;
}

}  // namespace

size_t attend_scratch(const AttendArgs& a, int) noexcept {
  return static_cast<size_t>(kParts * (longest(a) + a.head_dim)) * sizeof(double);
}

void attend(const AttendArgs& a, const Context& c) noexcept {
  const int64_t d = a.head_dim, width = a.heads * d, tokens = longest(a);
  const int64_t count = a.images * a.heads * a.queries, grain = (count + kParts - 1) / kParts;
  split(c, count, grain, [&](int64_t from, int64_t to) {
    double* weights = reinterpret_cast<double*>(c.scratch) + from / grain * (tokens + d);  // [T]
    double* sum = weights + tokens;                                                        // [d]
    for (int64_t i = from; i < to && !c.stop.raised(); ++i) {
      const int64_t query = i % a.queries, head = i / a.queries % a.heads, image = i / a.queries / a.heads;
      const int64_t place = (image * a.queries + query) * width + head * d;
      std::fill(sum, sum + d, 0.0);
      for (int t = 0; t < a.term_count; ++t) {
        const AttendTermArgs& term = a.terms[t];
        double scale = term.scale ? *term.scale : 1.0;
        if (scale == 0) continue;
        if (term.mask) scale *= term.mask[image * term.mask_step + query];
        const float* k = term.k + image * term.image_step + head * d;
        const float* v = term.v + image * term.image_step + head * d;
        const int64_t seen = a.causal ? std::min(query + 1, term.tokens) : term.tokens;
        double highest = -INFINITY, total = 0;
        for (int64_t j = 0; j < seen; ++j) {
          weights[j] = dot(a.q + place, k + j * width, d) * a.factor;
          highest = std::max(highest, weights[j]);
        }
        for (int64_t j = 0; j < seen; ++j) total += weights[j] = std::exp(weights[j] - highest);
        for (int64_t j = 0; j < seen; ++j)
          for (int64_t e = 0; e < d; ++e) sum[e] += scale * weights[j] / total * v[j * width + e];
      }
      for (int64_t e = 0; e < d; ++e) a.y[place + e] = static_cast<float>(sum[e]);
    }
  });
}

}  // namespace ipa::cpu::naive
