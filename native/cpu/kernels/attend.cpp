// y = sum over terms of scale * mask * softmax(q k^T * factor) v, each term with its own softmax; source: arXiv
// 2205.14135 (tiled softmax), 2308.06721 (terms).
//
// Queries lie along vector lanes: scores are computed transposed, S^T [keys, kPanel queries] = K . Q^T, so maximum and
// sum are vertical, and O^T [d, kPanel] += V^T . P^T takes P as it lies. Both products are the tile of tile.h. A task
// is some panels of queries of one head and walks the keys in blocks of kKeys that stay in L1 and L2; no more than
// kKeys x kPanel scores exist per thread. Bound by multiply-adds, then by the exponentials (base 2, log2 e is folded
// into q), a sixth of the time. Measured, 8 heads x 4096 x 40: 0.71 of the multiply-add peak on AVX-512 and 0.68 on
// AVX2 (Xeon, Emerald Rapids, 2 threads); 77 keys: 0.4.
#include "cpu/kernels/kernels_of_level.h"
#include "cpu/kernels/math.h"
#include "cpu/kernels/tile.h"

namespace ipa::cpu::IPA_ISA {

inline constexpr int64_t kKeys = 112 / kRows * kRows;  // keys of one block
inline constexpr int64_t kMaxPanels = 4;               // panels of queries of one task

// Keys and values of one term and image, copied once per run: keys as [heads, T / kRows, d, kRows], values as
// [heads, T, d].
struct PackedTerm {
  float* keys;
  float* values;
  int64_t tokens, key_step, value_step;  // steps: floats from one head to the next
};

// What a task keeps per panel of queries.
struct PanelState {
  float* q;       // [d, kPanel], times factor * log2 e
  float* out;     // [d, kPanel] of the term being walked
  float* result;  // [d, kPanel] sum over terms
  V maximum[2], total[2];
};

IPA_INLINE int64_t key_floats(const AttendArgs& a, const AttendTermArgs& t) {  // of all heads
  return ceil_div(ceil_div(t.tokens, kRows) * kRows * a.head_dim, 16) * 16 * a.heads;
}
IPA_INLINE int64_t value_floats(const AttendArgs& a, const AttendTermArgs& t) {
  return ceil_div(t.tokens * a.head_dim * a.heads, 16) * 16;  // whole cache lines
}
IPA_INLINE int64_t state_floats(const AttendArgs& a) {  // of one thread
  return 3 * a.head_dim * kPanel * kMaxPanels + kKeys * kPanel;
}

IPA_INLINE int64_t list_floats(const AttendArgs& a) {  // of PackedTerm, in whole cache lines
  return ceil_div(a.term_count * static_cast<int64_t>(sizeof(PackedTerm)), 64) * 16;
}

size_t attend_scratch(const AttendArgs& args, int threads) {
  int64_t floats = list_floats(args) + state_floats(args) * threads;
  for (int i = 0; i < args.term_count; ++i)
    floats += key_floats(args, args.terms[i]) + value_floats(args, args.terms[i]);
  return static_cast<size_t>(floats) * sizeof(float);
}

static void pack_keys(const AttendArgs& args, const AttendTermArgs& term, int64_t image, int64_t head, int64_t begin,
                      int64_t end, const PackedTerm& to) {
  const int64_t d = args.head_dim, c = d * args.heads;
  const int64_t from = image * term.image_step + head * d;
  for (int64_t key = begin; key < end; key += kRows) {
    const int64_t rows = least(kRows, end - key);
    float* panel = to.keys + head * to.key_step + key * d;
    if (rows < kRows)
      for (int64_t i = 0; i < d * kRows; ++i) panel[i] = 0;
    transpose(term.k + from + key * c, c, panel, kRows, rows, d);
  }
  for (int64_t key = begin; key < end; ++key) {
    const float* v = term.v + from + key * c;
    float* row = to.values + head * to.value_step + key * d;
    for (int64_t i = 0; i < d; i += kLanes) store_part(row + i, load_part(v + i, d - i), d - i);
  }
}

// S^T [keys, kPanel] -> P^T in place; updates the panel's maximum, total and, when the maximum grew, its output.
static void softmax_block(PanelState& p, float* scores, int64_t keys, int64_t d) {
  V m0 = p.maximum[0], m1 = p.maximum[1];
  for (int64_t i = 0; i < keys; ++i) {
    m0 = larger(m0, load(scores + i * kPanel));
    m1 = larger(m1, load(scores + i * kPanel + kLanes));
  }
  if (any((m0 > p.maximum[0]) | (m1 > p.maximum[1]))) {
    const V f0 = exp2_negative(p.maximum[0] - m0), f1 = exp2_negative(p.maximum[1] - m1);
    p.total[0] *= f0, p.total[1] *= f1;
    for (int64_t i = 0; i < d * kPanel; i += kPanel) {
      store(p.out + i, load(p.out + i) * f0);
      store(p.out + i + kLanes, load(p.out + i + kLanes) * f1);
    }
    p.maximum[0] = m0, p.maximum[1] = m1;
  }
  V t0 = {}, t1 = {};
  for (int64_t i = 0; i < keys; ++i) {
    float* s = scores + i * kPanel;
    const V e0 = exp2_negative(load(s) - m0), e1 = exp2_negative(load(s + kLanes) - m1);
    store(s, e0), store(s + kLanes, e1);
    t0 += e0, t1 += e1;
  }
  p.total[0] += t0, p.total[1] += t1;
}

// Scores of keys later than their query become -infinity.
static void hide_later_keys(float* scores, int64_t first_key, int64_t keys, int64_t first_query) {
  for (int64_t i = 0; i < keys; ++i)
    for (int64_t lane = 0; lane < first_key + i - first_query && lane < kPanel; ++lane)
      scores[i * kPanel + lane] = -__builtin_inff();
}

static void walk_block(PanelState& p, const PackedTerm& term, int64_t head, int64_t first_key, int64_t keys, int64_t d,
                       bool causal, int64_t first_query, float* scores) {
  for (int64_t key = 0; key < keys; key += kRows) {
    const float* k = term.keys + head * term.key_step + (first_key + key) * d;
    any_tile<1>(static_cast<int>(least(kRows, keys - key)), k, kRows, p.q, d, scores + key * kPanel, false,
                {reinterpret_cast<const char*>(p.q), 0});
  }
  if (causal && first_key + keys > first_query) hide_later_keys(scores, first_key, keys, first_query);
  softmax_block(p, scores, keys, d);
  const float* v = term.values + head * term.value_step + first_key * d;
  const int64_t strips = ceil_div(d, kRows);
  for (int64_t strip = 0; strip < strips; ++strip) {
    const int64_t row = d * strip / strips, rows = d * (strip + 1) / strips - row;
    any_tile<1>(static_cast<int>(rows), v + row, d, scores, keys, p.out + row * kPanel, true,
                {reinterpret_cast<const char*>(v), 0});
  }
}

// result += out * scale * mask / total
static void end_term(PanelState& p, int64_t d, float scale, const float* mask, int64_t queries) {
  V f0 = splat(scale) / p.total[0], f1 = splat(scale) / p.total[1];
  if (mask) {
    f0 *= load_part(mask, least(queries, kLanes));
    f1 *= load_part(mask + kLanes, most(0, queries - kLanes));
  }
  for (int64_t i = 0; i < d * kPanel; i += kPanel) {
    store(p.result + i, fma(load(p.out + i), f0, load(p.result + i)));
    store(p.result + i + kLanes, fma(load(p.out + i + kLanes), f1, load(p.result + i + kLanes)));
  }
}

static void load_queries(const AttendArgs& args, PanelState& p, int64_t image, int64_t head, int64_t first,
                         int64_t count) {
  const int64_t d = args.head_dim, c = d * args.heads;
  const V factor = splat(args.factor * 1.44269504f);
  if (count < kPanel)
    for (int64_t i = 0; i < d * kPanel; ++i) p.q[i] = 0;
  transpose(args.q + (image * args.queries + first) * c + head * d, c, p.q, kPanel, count, d);
  for (int64_t i = 0; i < d * kPanel; i += kLanes) store(p.q + i, load(p.q + i) * factor), store(p.result + i, V{});
}

static void attend_panels(const AttendArgs& args, const PackedTerm* terms, int64_t image, int64_t head,
                          int64_t first_query, int64_t panels, float* scratch, const StopFlag& stop) {
  const int64_t d = args.head_dim, c = d * args.heads, size = d * kPanel;
  float* scores = scratch + 3 * size * kMaxPanels;
  PanelState states[kMaxPanels];
  const auto query_of = [&](int64_t panel) { return first_query + panel * kPanel; };
  const auto count_of = [&](int64_t panel) { return least(kPanel, args.queries - query_of(panel)); };
  for (int64_t i = 0; i < panels; ++i) {
    states[i].q = scratch + 3 * i * size;
    states[i].out = states[i].q + size;
    states[i].result = states[i].out + size;
    load_queries(args, states[i], image, head, query_of(i), count_of(i));
  }
  for (int t = 0; t < args.term_count; ++t) {
    const float scale = args.terms[t].scale ? *args.terms[t].scale : 1.0f;
    if (scale == 0.0f) continue;
    for (int64_t i = 0; i < panels; ++i) {
      PanelState& p = states[i];
      for (int64_t k = 0; k < size; k += kLanes) store(p.out + k, V{});
      p.maximum[0] = p.maximum[1] = splat(-__builtin_inff());
      p.total[0] = p.total[1] = V{};
    }
    for (int64_t key = 0; key < terms[t].tokens; key += kKeys) {
      if (stop.raised()) return;
      const int64_t keys = least(kKeys, terms[t].tokens - key);
      for (int64_t i = 0; i < panels; ++i) {
        if (args.causal && key >= query_of(i) + kPanel) continue;
        walk_block(states[i], terms[t], head, key, keys, d, args.causal, query_of(i), scores);
      }
    }
    const float* mask = args.terms[t].mask ? args.terms[t].mask + image * args.terms[t].mask_step : nullptr;
    for (int64_t i = 0; i < panels; ++i)
      end_term(states[i], d, scale, mask ? mask + query_of(i) : nullptr, count_of(i));
  }
  for (int64_t i = 0; i < panels; ++i)
    transpose(states[i].result, kPanel, args.y + (image * args.queries + query_of(i)) * c + head * d, c, d,
              count_of(i));
}

void attend(const AttendArgs& args, const Context& context) noexcept {
  PackedTerm* terms = reinterpret_cast<PackedTerm*>(context.scratch);
  float* scratch = reinterpret_cast<float*>(context.scratch) + list_floats(args);
  float* term_scratch = scratch + state_floats(args) * context.pool.threads();
  const int term_count = args.term_count;
  for (int t = 0; t < term_count; ++t) {
    const AttendTermArgs& term = args.terms[t];
    terms[t] = {term_scratch, term_scratch + key_floats(args, term), term.tokens, key_floats(args, term) / args.heads,
                term.tokens * args.head_dim};
    term_scratch = terms[t].values + value_floats(args, term);
  }
  const int64_t query_panels = ceil_div(args.queries, kPanel);
  int64_t group = kMaxPanels;  // fewer when there would be too few tasks to share out
  while (group > 1 && args.heads * ceil_div(query_panels, group) < 8 * context.pool.threads()) --group;
  const int64_t groups = ceil_div(query_panels, group);
  for (int64_t image = 0; image < args.images; ++image) {
    for (int t = 0; t < term_count; ++t) {
      const AttendTermArgs& term = args.terms[t];
      if ((term.scale && *term.scale == 0.0f) || (image > 0 && term.image_step == 0)) continue;
      const int64_t chunk = 4 * kKeys, chunks = ceil_div(term.tokens, chunk);
      for_tasks(context, args.heads * chunks, [&](int, int64_t task) {
        const int64_t begin = task % chunks * chunk;
        pack_keys(args, term, image, task / chunks, begin, least(term.tokens, begin + chunk), terms[t]);
      });
    }
    for_tasks(context, args.heads * groups, [&](int slot, int64_t task) {
      const int64_t first_panel = task % groups * group;
      attend_panels(args, terms, image, task / groups, first_panel * kPanel, least(group, query_panels - first_panel),
                    scratch + slot * state_floats(args), context.stop);
    });
  }
}

}  // namespace ipa::cpu::IPA_ISA
