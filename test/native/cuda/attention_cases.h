#pragma once
// The cases of the attention kernels: queries, keys and values as views of wider buffers, against a loop in f64.
#include <deque>

#include "cuda/kernels/attention.h"
#include "cuda/kernels/attention_plain.h"
#include "cuda/kernels/attention_wide.h"
#include "cuda/kernels/cross_attention.h"
#include "kernel_cases.h"

namespace ipa::cuda {

struct TermSize {
  int tokens;
  float scale;  // kNoScale: none; 0: the term's keys and values stay NaN and out of reach
  bool shared;  // the same keys and values for all images
  enum { none, one, per_image } mask = none;
};
constexpr float kNoScale = 1e30f;

struct AttentionSize {
  int images, heads, queries, head;
  bool causal = false, packed = false;  // packed: q, k and v of the one term are thirds of the same rows
  std::vector<TermSize> terms{};
};

// Rounds 16-bit weights and, once more, a 16-bit result.
template <typename In>
constexpr double kAttentionLimit = std::is_same_v<In, Half>     ? 2e-3
                                   : std::is_same_v<In, BFloat> ? 1.6e-2
                                                                : 1e-5;

// [images][rows][width] in a buffer with wider rows, whose other columns stay NaN.
template <typename In>
struct Rows {
  In* at;
  int row;
  int64_t image;

  void fill(int images, int rows, int width, std::mt19937_64& random, float deviation) const {
    std::normal_distribution<float> normal(0, deviation);
    for (int i = 0; i < images; ++i)
      for (int r = 0; r < rows; ++r)
        for (int c = 0; c < width; ++c) set(at[i * image + static_cast<int64_t>(r) * row + c], normal(random));
  }
  double operator()(int i, int r, int c) const { return value(at[i * image + static_cast<int64_t>(r) * row + c]); }
};

// Everything a case reads, and what must come out.
template <typename In>
class AttentionData {
 public:
  AttentionData(const AttentionSize& size, uint64_t seed) : size_(size), random_(seed) {
    const int width = size.heads * size.head;
    Rows<In> q;
    if (size.packed) {
      q = rows(size.images, size.queries, 3 * width, true);
      q.fill(size.images, size.queries, 3 * width, random_, 1);
    } else {
      q = rows(size.images, size.queries, width, true);
      q.fill(size.images, size.queries, width, random_, 2);
    }
    arguments.queries = {q.at,         nullptr,    q.image,   q.row,
                         size.queries, size.heads, size.head, 1 / std::sqrt(static_cast<float>(size.head))};
    arguments.causal = size.causal, arguments.term_count = static_cast<int32_t>(size.terms.size());
    for (size_t t = 0; t < size.terms.size(); ++t) add_term(t, q);
    add_reference(q);
  }

  AttentionArguments one_term() const { return {arguments.queries, arguments.terms[0].keys, arguments.causal}; }
  bool intact() {
    bool whole = true;
    for (Tensor<In>& tensor : tensors_) whole = whole && tensor.intact();
    for (Tensor<float>& tensor : numbers_) whole = whole && tensor.intact();
    return whole;
  }

  AttentionTermsArguments arguments{};
  std::vector<std::span<const std::byte>> readable;
  std::vector<double> reference;

 private:
  Rows<In> rows(int images, int count, int width, bool in_reach) {
    const int row = (width + 7) / 8 * 8 + 8;
    Tensor<In>& tensor = tensors_.emplace_back(static_cast<size_t>(images) * count * row);
    if (in_reach) readable.push_back(tensor.bytes());
    return {tensor.data(), row, static_cast<int64_t>(count) * row};
  }

  void add_term(size_t t, const Rows<In>& q) {
    const TermSize& term = size_.terms[t];
    const int width = size_.heads * size_.head, images = term.shared ? 1 : size_.images;
    Rows<In> k{q.at + width, q.row, q.image}, v{q.at + 2 * width, q.row, q.image};
    if (!size_.packed) {
      k = rows(images, term.tokens, width, term.scale != 0), v = rows(images, term.tokens, width, term.scale != 0);
      if (term.scale != 0)
        k.fill(images, term.tokens, width, random_, 1), v.fill(images, term.tokens, width, random_, 2);
    }
    if (term.shared) k.image = v.image = 0;
    AttentionTerm& to = arguments.terms[t];
    to = {{k.at, v.at, k.image, v.image, k.row, v.row, term.tokens}, nullptr, nullptr, 0};
    if (term.scale != kNoScale) {
      Tensor<float>& scale = numbers_.emplace_back(1);
      scale[0] = term.scale, to.scale = scale.data();
    }
    if (term.mask != TermSize::none) {
      const size_t masks = term.mask == TermSize::one ? 1 : size_.images;
      Tensor<float>& mask = numbers_.emplace_back(masks * size_.queries);
      fill(mask, random_, 1);
      to.mask = mask.data(), to.mask_image = term.mask == TermSize::one ? 0 : size_.queries;
    }
    keys_.push_back(k), values_.push_back(v);
  }

  void add_reference(const Rows<In>& q) {
    const int d = size_.head, width = size_.heads * d;
    reference.assign(static_cast<size_t>(size_.images) * size_.queries * width, 0);
    for (int image = 0; image < size_.images; ++image)
      for (int query = 0; query < size_.queries; ++query)
        for (int first = 0; first < width; first += d)
          for (size_t t = 0; t < size_.terms.size(); ++t)
            add_head(q, t, image, query, first,
                     &reference[(static_cast<size_t>(image) * size_.queries + query) * width + first]);
  }

  void add_head(const Rows<In>& q, size_t t, int image, int query, int first, double* to) {
    const AttentionTerm& term = arguments.terms[t];
    double share = term.scale ? *term.scale : 1, total = 0, highest = -INFINITY;
    if (share == 0) return;
    if (term.mask) share *= term.mask[image * term.mask_image + query];
    const int seen = size_.causal ? std::min(query + 1, term.keys.tokens) : term.keys.tokens;
    std::vector<double> weights(seen);
    for (int j = 0; j < seen; ++j) {
      double sum = 0;
      for (int c = first; c < first + size_.head; ++c) sum += q(image, query, c) * keys_[t](image, j, c);
      weights[j] = sum * static_cast<double>(arguments.queries.factor), highest = std::max(highest, weights[j]);
    }
    for (double& w : weights) total += w = std::exp(w - highest);
    for (int j = 0; j < seen; ++j)
      for (int c = 0; c < size_.head; ++c) to[c] += share * weights[j] / total * values_[t](image, j, first + c);
  }

  const AttentionSize& size_;
  std::mt19937_64 random_;
  std::deque<Tensor<In>> tensors_;
  std::deque<Tensor<float>> numbers_;  // scales and masks
  std::vector<Rows<In>> keys_, values_;
};

// Runs one case; `kernel` takes one or many terms, `queries` are those of a block.
template <typename In, typename Out, typename Arguments>
void attention_case(const char* name, void (*kernel)(const Arguments&), int queries, int threads, size_t shared_bytes,
                    const AttentionSize& size, uint64_t seed, ThreadPool* pool, Failures& failures) {
  AttentionData<In> data(size, seed);
  std::string what = std::string(name) + " " + kName<In> + " to " + kName<Out> + ", " + std::to_string(size.images) +
                     " images, " + std::to_string(size.heads) + " heads of " + std::to_string(size.head) + ", " +
                     std::to_string(size.queries) + " queries, keys";
  for (const TermSize& term : size.terms) what += " " + std::to_string(term.tokens);
  if (size.causal) what += ", causal";
  run_orders<Out>(
      what, seed, data.reference,
      [&](const emulator::Order& order, Out* out) {
        emulator::Launch launch;
        launch.kernel = name;
        launch.grid = {static_cast<uint32_t>((size.queries + queries - 1) / queries), static_cast<uint32_t>(size.heads),
                       static_cast<uint32_t>(size.images)};
        launch.threads = static_cast<uint32_t>(threads), launch.shared_bytes = shared_bytes;
        launch.order = order, launch.pool = pool, launch.readable = data.readable;
        data.arguments.queries.out = out;
        if constexpr (std::is_same_v<Arguments, AttentionArguments>)
          emulator::launch(launch, kernel, data.one_term());
        else
          emulator::launch(launch, kernel, data.arguments);
      },
      failures, std::max(kAttentionLimit<In>, kLimit<Out>));  // a result of 16 bits is rounded whatever went in
  if (!data.intact()) failures.push_back(what + ": wrote outside an input");
}

template <typename In, typename Out, typename Tile>
void attention_case(const AttentionSize& size, uint64_t seed, ThreadPool* pool, Failures& failures) {
  attention_case<In, Out, AttentionArguments>("attention", attention<In, Out, Tile>, Tile::kQueries, Tile::kThreads,
                                              Tile::kSharedBytes, size, seed, pool, failures);
}

template <typename In, typename Out, typename Tile>
void cross_attention_case(const AttentionSize& size, uint64_t seed, ThreadPool* pool, Failures& failures) {
  attention_case<In, Out, AttentionTermsArguments>("cross_attention", cross_attention<In, Out, Tile>, Tile::kQueries,
                                                   Tile::kThreads, Tile::kSharedBytes, size, seed, pool, failures);
}

// One key; packed and causal; heads narrower than the tile; more keys than queries and the other way round.
template <typename In, typename Out, typename Tile>
void attention_cases(uint64_t seed, ThreadPool* pool, Failures& failures) {
  const auto head = [](int less) { return std::max(8, Tile::kHead - less); };
  const AttentionSize sizes[] = {{1, 1, 1, head(0), false, false, {{1, kNoScale, false}}},
                                 {2, 2, 77, head(0), true, true, {{77, kNoScale, false}}},
                                 {2, 1, 130, head(8), false, false, {{65, kNoScale, true}}},
                                 {1, 2, 40, head(16), false, false, {{200, kNoScale, false}}},
                                 {1, 1, 150, head(24), true, false, {{70, kNoScale, false}}},
                                 {2, 3, 20, head(32), true, false, {{140, kNoScale, false}}}};
  for (const AttentionSize& size : sizes) attention_case<In, Out, Tile>(size, seed++, pool, failures);
}

template <typename In, typename Out, typename Tile>
void attention_wide_cases(uint64_t seed, ThreadPool* pool, Failures& failures) {
  const AttentionSize sizes[] = {{2, 1, 1, 512, false, false, {{1, kNoScale, true}}},
                                 {1, 1, 70, 512, false, true, {{70, kNoScale, false}}},
                                 {2, 2, 20, 168, false, false, {{100, kNoScale, false}}},
                                 {1, 1, 40, 392, true, false, {{77, kNoScale, false}}}};
  for (const AttentionSize& size : sizes)
    attention_case<In, Out, AttentionArguments>("attention_wide", attention_wide<In, Out, Tile>, Tile::kQueries,
                                                Tile::kThreads, Tile::kSharedBytes, size, seed++, pool, failures);
}

// A text alone; with one image prompt and with three, some masked, some off; nothing at all; as many as there may be.
inline std::vector<std::vector<TermSize>> term_lists() {
  const TermSize text{77, kNoScale, false};
  const std::vector<TermSize> many(kMostAttentionTerms, {3, 0.5f, false, TermSize::per_image});
  return {{text},
          {text, {4, 0.7f, true, TermSize::one}},
          {text, {16, 0, false}, {5, -0.5f, false, TermSize::per_image}, {128, 1.5f, true}},
          {},
          {{33, 0, true}, {9, 0, false, TermSize::one}},
          {{20, 0, true, TermSize::one}, {1, 1.25f, false}},
          many};
}

template <typename In, typename Out, typename Tile>
void cross_attention_cases(uint64_t seed, ThreadPool* pool, Failures& failures) {
  int i = 0;
  for (const std::vector<TermSize>& terms : term_lists()) {
    const AttentionSize size{2 - i % 2, 1 + i % 2, i == 5 ? 1 : 40, std::max(8, Tile::kHead - i * 8), false,
                             false,     terms};
    cross_attention_case<In, Out, Tile>(size, seed + static_cast<uint64_t>(i++), pool, failures);
  }
}

template <typename In, typename Out>
void attention_plain_cases(uint64_t seed, ThreadPool* pool, Failures& failures) {
  const int heads[] = {4, 8, 12, 16, 1, 130, 7};
  int i = 0;
  const auto run = [&](const AttentionSize& size) {
    attention_case<In, Out, AttentionTermsArguments>("attention_plain", attention_plain<In, Out>, kAttentionPlainWarps,
                                                     kAttentionPlainThreads, 0, size, seed++, pool, failures);
  };
  for (const std::vector<TermSize>& terms : term_lists())
    run({1 + (i + 1) % 2, 3, 10, heads[i], false, false, terms}), ++i;
  run({2, 2, 37, 5, true, true, {{37, kNoScale, false}}});
  run({1, 1, 9, 260, true, false, {{4, 0.5f, false, TermSize::one}}});
}

}  // namespace ipa::cuda
