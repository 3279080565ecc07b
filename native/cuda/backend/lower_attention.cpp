// Attention: one kernel for a term alone, one for many, one for a wide head, and one for every other kind.
#include <cmath>

#include "cuda/backend/lowering.h"
#include "cuda/kernels/attention.h"
#include "cuda/kernels/attention_plain.h"
#include "cuda/kernels/attention_wide.h"
#include "cuda/kernels/cross_attention.h"

namespace ipa::cuda {

namespace {

struct HeadRow {
  int64_t head;
  int queries;        // of a block, one term
  int cross_queries;  // of a block, many terms
};
constexpr HeadRow kHeads[] = {{40, Attention40::kQueries, CrossAttention40::kQueries},
                              {64, Attention64::kQueries, CrossAttention64::kQueries},
                              {80, Attention80::kQueries, CrossAttention80::kQueries},
                              {104, Attention104::kQueries, CrossAttention104::kQueries},
                              {128, Attention128::kQueries, CrossAttention128::kQueries},
                              {160, Attention160::kQueries, CrossAttention160::kQueries}};

uint32_t blocks(int64_t count, int64_t of_block) { return static_cast<uint32_t>((count + of_block - 1) / of_block); }

}  // namespace

void Lowering::lower(const Attend& op) {
  const Shape& q = shape(op.q);
  const int64_t head = q.c / op.heads;
  const bool operands = takes_operands(plan_, *node_);
  const auto given = [&](ValueId id) -> const void* { return operands ? operand(id) : f32(id); };

  AttentionTermsArguments all{};
  all.queries = {given(op.q),        as<void>(node_->output),
                 q.tokens() * q.c,   number(q.c),
                 number(q.tokens()), op.heads,
                 number(head),       op.factor > 0 ? op.factor : 1 / std::sqrt(static_cast<float>(head))};
  all.term_count = number(static_cast<int64_t>(op.terms.size()));
  all.causal = op.causal ? 1 : 0;
  if (op.terms.size() > static_cast<size_t>(kMostAttentionTerms))
    fail(Code::DEVICE_UNSUPPORTED,
         node_->path + ": " + std::to_string(op.terms.size()) + " terms of attention; the kernel takes " +
             std::to_string(kMostAttentionTerms),
         "attach fewer image prompts", {{"stage", node_->path}});
  bool scaled = false;
  for (size_t t = 0; t < op.terms.size(); ++t) {
    const AttendTerm& term = op.terms[t];
    const Shape& keys = shape(term.k);
    const int64_t image = keys.n == 1 ? 0 : keys.tokens() * keys.c;
    AttentionTerm& to = all.terms[t];
    to.keys = {
        given(term.k),        term.v == term.k ? nullptr : given(term.v), image, image, number(keys.c), number(keys.c),
        number(keys.tokens())};
    if (term.v == term.k) to.keys.v = to.keys.k;
    if (term.row != kNone) to.scale = as<const float>(term.row) + term.cell;
    to.mask = as<const float>(term.mask);
    if (term.mask != kNone && shape(term.mask).n > 1) to.mask_image = shape(term.mask).tokens();
    scaled |= term.row != kNone || term.mask != kNone;
  }

  const uint32_t heads = static_cast<uint32_t>(op.heads), images = static_cast<uint32_t>(q.n);
  const bool one = op.terms.size() == 1 && !scaled;
  const std::string types = std::string(operands ? compute() : "f32") + "_" + out();
  const HeadRow* row = nullptr;
  for (const HeadRow& r : kHeads)
    if (operands && !row && head <= r.head) row = &r;
  if (row && one) {
    launch("attention_" + types + "_" + std::to_string(row->head), {blocks(q.tokens(), row->queries), heads, images},
           AttentionArguments{all.queries, all.terms[0].keys, all.causal});
  } else if (row && !op.causal) {
    launch("cross_attention_" + types + "_" + std::to_string(row->head),
           {blocks(q.tokens(), row->cross_queries), heads, images}, all);
  } else if (operands && one && head <= AttentionWideTile<2>::kHead) {
    launch("attention_wide_" + types + "_32", {blocks(q.tokens(), AttentionWideTile<2>::kQueries), heads, images},
           AttentionArguments{all.queries, all.terms[0].keys, all.causal});
  } else {
    launch("attention_plain_" + types, {blocks(q.tokens(), kAttentionPlainWarps), heads, images}, all);
  }
}

}  // namespace ipa::cuda
