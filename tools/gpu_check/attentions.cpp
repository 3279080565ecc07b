#include "attentions.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

#include "cuda/kernels/attention.h"
#include "cuda/kernels/cross_attention.h"

namespace ipa::gpu_check {

namespace {

using namespace cuda;

constexpr int kSampled = 128;  // heads of a row, all columns of each
constexpr double kLimit16 = 2e-3;

struct HeadRow {
  int head, queries, cross_queries;  // of a block
};
constexpr HeadRow kHeads[] = {{40, Attention40::kQueries, CrossAttention40::kQueries},
                              {64, Attention64::kQueries, CrossAttention64::kQueries},
                              {80, Attention80::kQueries, CrossAttention80::kQueries},
                              {104, Attention104::kQueries, CrossAttention104::kQueries},
                              {128, Attention128::kQueries, CrossAttention128::kQueries},
                              {160, Attention160::kQueries, CrossAttention160::kQueries}};

const HeadRow& row_of(int head) {
  for (const HeadRow& row : kHeads)
    if (row.head == head) return row;
  fail(Code::INTERNAL, "no attention kernel has heads of " + std::to_string(head), "name one that there is");
}

struct Term {
  std::vector<uint16_t> k, v;  // [images][tokens][width]
  int tokens;
  float scale;
};

}  // namespace

void measure_attention(Card& card, const Options& options, AttentionShape shape, Report& report) {
  if (card.emulated) shape.images = 1, shape.heads = 2, shape.queries = 40;
  const bool crossed = !shape.keys.empty();
  const int width = shape.heads * shape.head, queries = shape.queries, images = shape.images;
  const size_t q_count = static_cast<size_t>(images) * queries * width;
  std::vector<Term> terms;
  for (const int given : crossed ? shape.keys : std::vector<int>{queries}) {
    const size_t count = static_cast<size_t>(images) * given * width, i = terms.size();
    terms.push_back(
        {drawn16(count, 20 + 2 * i, false), drawn16(count, 21 + 2 * i, false), given, i == 0 ? 1.0f : 0.6f});
  }
  size_t keys_count = 0;
  int tokens = 0;
  for (const Term& term : terms) keys_count += term.k.size() + term.v.size(), tokens += term.tokens;
  Work work;
  work.copies = copies_for(card, (2 * q_count + keys_count) * 2);
  const std::vector<uint16_t> q = drawn16(q_count, 10, false);
  Copies on_q(card.device, q_count * 2, work.copies, "queries"), out(card.device, q_count * 2, work.copies, "a result");
  on_q.upload(q.data());
  std::vector<std::unique_ptr<Copies>> on_k, on_v, on_scale;
  for (const Term& term : terms) {
    on_k.push_back(std::make_unique<Copies>(card.device, term.k.size() * 2, work.copies, "keys"));
    on_v.push_back(std::make_unique<Copies>(card.device, term.v.size() * 2, work.copies, "values"));
    on_scale.push_back(std::make_unique<Copies>(card.device, sizeof(float), 1, "a scale"));
    on_k.back()->upload(term.k.data()), on_v.back()->upload(term.v.data()), on_scale.back()->upload(&term.scale);
  }
  work.out = &out;
  Measurement& row = work.row;
  row.step = "kernels", row.kernel = crossed ? "cross_attention" : "attention", row.path = "mma", row.dtype = "f16";
  row.tile = std::to_string(shape.head);
  row.shape = std::to_string(images) + "x" + std::to_string(shape.heads) + "x" + std::to_string(queries) + "x" +
              std::to_string(shape.head);
  if (crossed) row.shape += " over " + std::to_string(tokens);
  if (!crossed) row.flop = 4.0 * static_cast<double>(q_count) * tokens;
  row.bytes = static_cast<double>(q_count) * 4;  // queries and result: keys and values of a term are small
  if (!crossed) row.bytes += static_cast<double>(keys_count) * 2;
  row.limit = kLimit16, row.target = shape.target;
  row.torch = R"({"op": "attention", "images": )" + std::to_string(images) + R"(, "heads": )" +
              std::to_string(shape.heads) + R"(, "queries": )" + std::to_string(queries) + R"(, "head": )" +
              std::to_string(shape.head) + R"(, "keys": [)";
  for (const Term& term : terms) row.torch += (&term == &terms[0] ? "" : ", ") + std::to_string(term.tokens);
  row.torch += "]}";
  const float factor = 1 / std::sqrt(static_cast<float>(shape.head));

  work.samples = [&](const std::vector<std::byte>& result) {
    std::mt19937_64 random(q_count);
    std::vector<std::pair<double, double>> pairs;
    for (int i = 0; i < kSampled; ++i) {
      const int image = static_cast<int>(random() % images), query = static_cast<int>(random() % queries);
      const size_t first = random() % shape.heads * shape.head;
      const size_t at = (static_cast<size_t>(image) * queries + query) * width + first;
      std::vector<double> expected(shape.head, 0);
      for (const Term& term : terms) {
        std::vector<double> weights(term.tokens);
        double highest = -INFINITY, total = 0;
        const auto place = [&](int j) { return (static_cast<size_t>(image) * term.tokens + j) * width + first; };
        for (int j = 0; j < term.tokens; ++j) {
          for (int c = 0; c < shape.head; ++c)
            weights[j] += static_cast<double>(wide16(q[at + c], false)) *
                          static_cast<double>(wide16(term.k[place(j) + c], false));
          highest = std::max(highest, weights[j] *= static_cast<double>(factor));
        }
        for (double& w : weights) total += w = std::exp(w - highest);
        for (int j = 0; j < term.tokens; ++j)
          for (int c = 0; c < shape.head; ++c)
            expected[c] += static_cast<double>(crossed ? term.scale : 1) * weights[j] / total *
                           static_cast<double>(wide16(term.v[place(j) + c], false));
      }
      for (int c = 0; c < shape.head; ++c) {
        uint16_t got;
        std::memcpy(&got, &result[(at + c) * 2], sizeof got);
        pairs.emplace_back(wide16(got, false), expected[c]);
      }
    }
    return pairs;
  };
  const HeadRow& of_head = row_of(shape.head);
  const driver::Kernel kernel = card.device.kernel(row.kernel + "_f16_f16_" + std::to_string(shape.head));
  const int block = crossed ? of_head.cross_queries : of_head.queries;
  const driver::Grid grid{static_cast<uint32_t>((queries + block - 1) / block), static_cast<uint32_t>(shape.heads),
                          static_cast<uint32_t>(images)};
  work.add = [&](driver::Commands& commands, int copy) {
    AttentionTermsArguments all{};
    all.queries = {on_q.as<void>(copy),
                   out.as<void>(copy),
                   static_cast<int64_t>(queries) * width,
                   width,
                   queries,
                   shape.heads,
                   shape.head,
                   factor};
    all.term_count = static_cast<int32_t>(terms.size());
    for (size_t t = 0; t < terms.size(); ++t) {
      const int64_t image = static_cast<int64_t>(terms[t].tokens) * width;
      all.terms[t] = {{on_k[t]->as<void>(copy), on_v[t]->as<void>(copy), image, image, width, width, terms[t].tokens},
                      on_scale[t]->as<float>(0),
                      nullptr,
                      0};
    }
    if (crossed)
      commands.launch(kernel, grid, all);
    else
      commands.launch(kernel, grid, AttentionArguments{all.queries, all.terms[0].keys, 0});
  };
  measure(card, options, work, report);
}

}  // namespace ipa::gpu_check
