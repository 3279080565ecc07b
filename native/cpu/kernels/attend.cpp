// y = sum over terms of scale * mask * softmax(q k^T * factor) v, each term with its own softmax; source: arXiv
// 2205.14135 (tiled softmax), 2308.06721 (terms).
//
// Queries lie along vector lanes: scores are computed transposed, S^T [keys, kPanel queries] = K . Q^T, so maximum and
// sum are vertical, and O^T [d, kPanel] += V^T . P^T takes P as it lies. Both products are the level's innermost one
// (tile.h, product.h). A task is some panels of queries of one head and walks the keys in blocks of kKeys that stay in
// L1 and L2; no more than kKeys x kPanel scores exist per thread. What depends on the operands is in attend_f32.h and
// attend_bf16.h. Bound by multiply-adds, then by the exponentials (base 2), with f32 a sixth of the time. Measured, 8
// heads x 4096 x 40: 0.71 of the multiply-add peak on AVX-512 and 0.68 on AVX2 (Xeon, Emerald Rapids, 2 threads); 77
// keys: 0.4. AVX-512 BF16: 0.68 of the vdpbf16ps peak (EPYC, Zen 4, 2 threads).
#if defined(IPA_TILES) || defined(IPA_DOT) || defined(IPA_MMLA)
#include "cpu/kernels/attend_bf16.h"
#else
#include "cpu/kernels/attend_f32.h"
#endif

namespace ipa::cpu::IPA_ISA {

inline constexpr int64_t kMaxPanels = 4;  // panels of queries of one task

IPA_INLINE int64_t lines(int64_t floats) { return ceil_div(floats, 16) * 16; }  // in whole cache lines
IPA_INLINE int64_t floats_of(int64_t operands) {
  return lines(ceil_div(operands * static_cast<int64_t>(sizeof(Operand)), 4));
}
IPA_INLINE int64_t key_floats(const AttendArgs& a, const AttendTermArgs& t) {  // of all heads
  return floats_of(key_operands(a, t) * a.heads);
}
IPA_INLINE int64_t value_floats(const AttendArgs& a, const AttendTermArgs& t) {
  return floats_of(value_operands(a, t) * a.heads);
}
IPA_INLINE int64_t panel_floats(const AttendArgs& a) { return floats_of(query_operands(a)) + 2 * out_floats(a); }
IPA_INLINE int64_t state_floats(const AttendArgs& a) {  // of one thread
  return lines(panel_floats(a) * kMaxPanels + block_floats(a));
}
IPA_INLINE int64_t list_floats(const AttendArgs& a) {  // of PackedTerm
  return lines(a.term_count * static_cast<int64_t>(sizeof(PackedTerm)) / 4);
}

size_t attend_scratch(const AttendArgs& args, int threads) {
  int64_t floats = list_floats(args) + state_floats(args) * threads;
  for (int i = 0; i < args.term_count; ++i)
    floats += key_floats(args, args.terms[i]) + value_floats(args, args.terms[i]);
  return static_cast<size_t>(floats) * sizeof(float);
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

static void attend_panels(const AttendArgs& args, const PackedTerm* terms, int64_t image, int64_t head,
                          int64_t first_query, int64_t panels, float* scratch, const StopFlag& stop) {
  const int64_t d = args.head_dim, c = d * args.heads, size = d * kPanel;
  float* block = scratch + panel_floats(args) * kMaxPanels;
  PanelState states[kMaxPanels];
  const auto query_of = [&](int64_t panel) { return first_query + panel * kPanel; };
  const auto count_of = [&](int64_t panel) { return least(kPanel, args.queries - query_of(panel)); };
  for (int64_t i = 0; i < panels; ++i) {
    float* panel = scratch + i * panel_floats(args);
    states[i].q = reinterpret_cast<Operand*>(panel);
    states[i].out = panel + floats_of(query_operands(args));
    states[i].result = states[i].out + out_floats(args);
    load_queries(args, states[i], image, head, query_of(i), count_of(i), block);
    for (int64_t k = 0; k < size; k += kLanes) store(states[i].result + k, V{});
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
        walk_block(args, states[i], terms[t], {head, key, keys, query_of(i)}, block);
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
    float* values = term_scratch + key_floats(args, term);
    terms[t] = {reinterpret_cast<Operand*>(term_scratch), reinterpret_cast<Operand*>(values), term.tokens,
                key_operands(args, term), value_operands(args, term)};
    term_scratch = values + value_floats(args, term);
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
      for_tasks(context, args.heads * chunks, [&](int slot, int64_t task) {
        const int64_t begin = task % chunks * chunk;
        pack_keys(args, term, image, task / chunks, begin, least(term.tokens, begin + chunk), terms[t],
                  scratch + slot * state_floats(args) + panel_floats(args) * kMaxPanels);
      });
    }
    for_tasks(context, args.heads * groups, [&](int slot, int64_t task) {
      [[maybe_unused]] const Session session;
      const int64_t first_panel = task % groups * group;
      attend_panels(args, terms, image, task / groups, first_panel * kPanel, least(group, query_panels - first_panel),
                    scratch + slot * state_floats(args), context.stop);
    });
  }
}

}  // namespace ipa::cpu::IPA_ISA
