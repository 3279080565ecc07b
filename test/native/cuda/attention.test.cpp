// Attention: every kernel, number type and tile at small and odd sizes, and one real layer each.
#include "attention_cases.h"
#include "test.h"

namespace ipa::cuda {
namespace {

using Cases = void (*)(uint64_t, ThreadPool*, Failures&);

void run(std::initializer_list<Cases> groups) {
  ThreadPool pool(available_cores());
  const uint64_t seed = fresh_seed();
  Failures failures;
  for (const Cases cases : groups) cases(seed, &pool, failures);
  for (const std::string& text : failures) test::failed(__FILE__, __LINE__, text);
}

TEST("cuda attention: small and odd sizes, every head size, f16") {
  run({attention_cases<Half, Half, Attention40>, attention_cases<Half, float, Attention64>,
       attention_cases<Half, Half, Attention80>, attention_cases<Half, float, Attention104>,
       attention_cases<Half, Half, Attention128>, attention_cases<Half, float, Attention160>});
}

TEST("cuda attention: small and odd sizes, every head size, bf16") {
  run({attention_cases<BFloat, float, Attention40>, attention_cases<BFloat, BFloat, Attention64>,
       attention_cases<BFloat, float, Attention80>, attention_cases<BFloat, BFloat, Attention104>,
       attention_cases<BFloat, float, Attention128>, attention_cases<BFloat, BFloat, Attention160>});
}

TEST("cuda cross_attention: terms, scales and masks, every head size, f16") {
  run({cross_attention_cases<Half, Half, CrossAttention40>, cross_attention_cases<Half, float, CrossAttention64>,
       cross_attention_cases<Half, Half, CrossAttention80>, cross_attention_cases<Half, float, CrossAttention104>,
       cross_attention_cases<Half, Half, CrossAttention128>, cross_attention_cases<Half, float, CrossAttention160>});
}

TEST("cuda cross_attention: terms, scales and masks, every head size, bf16") {
  run({cross_attention_cases<BFloat, float, CrossAttention40>, cross_attention_cases<BFloat, BFloat, CrossAttention64>,
       cross_attention_cases<BFloat, float, CrossAttention80>, cross_attention_cases<BFloat, BFloat, CrossAttention104>,
       cross_attention_cases<BFloat, float, CrossAttention128>,
       cross_attention_cases<BFloat, BFloat, CrossAttention160>});
}

TEST("cuda attention_wide: small and odd sizes, both tiles") {
  run({attention_wide_cases<Half, Half, AttentionWideTile<1>>, attention_wide_cases<Half, float, AttentionWideTile<2>>,
       attention_wide_cases<BFloat, BFloat, AttentionWideTile<2>>});
}

TEST("cuda attention_plain: terms, scales and masks, every number type") {
  run({attention_plain_cases<float, float>, attention_plain_cases<Half, Half>, attention_plain_cases<BFloat, float>});
}

TEST("cuda attention: a layer of 1024 tokens, one head of 64") {
  run({[](uint64_t seed, ThreadPool* pool, Failures& failures) {
    attention_case<Half, Half, Attention64>({1, 1, 1024, 64, false, true, {{1024, kNoScale, false}}}, seed, pool,
                                            failures);
  }});
}

TEST("cuda cross_attention: a layer of 4096 queries, a text and two image prompts") {
  run({[](uint64_t seed, ThreadPool* pool, Failures& failures) {
    const std::vector<TermSize> terms{{77, kNoScale, false}, {4, 0.6f, false}, {16, 0.8f, true, TermSize::one}};
    cross_attention_case<Half, Half, CrossAttention40>({1, 2, 4096, 40, false, false, terms}, seed, pool, failures);
  }});
}

TEST("cuda attention_wide: 256 tokens of the VAE's head of 512") {
  run({[](uint64_t seed, ThreadPool* pool, Failures& failures) {
    using Tile = AttentionWideTile<2>;
    attention_case<BFloat, BFloat, AttentionArguments>(
        "attention_wide", attention_wide<BFloat, BFloat, Tile>, Tile::kQueries, Tile::kThreads, Tile::kSharedBytes,
        {1, 1, 256, 512, false, true, {{256, kNoScale, false}}}, seed, pool, failures);
  }});
}

TEST("cuda attention: tiles fit the shared memory of the cards they are for") {
  constexpr int kTuring = 64 * 1024, kOthers = 99 * 1024;  // bytes a block
  for (const int bytes :
       {Attention40::kSharedBytes, Attention64::kSharedBytes, Attention80::kSharedBytes, Attention104::kSharedBytes,
        Attention128::kSharedBytes, Attention160::kSharedBytes, CrossAttention40::kSharedBytes,
        CrossAttention64::kSharedBytes, CrossAttention80::kSharedBytes, CrossAttention104::kSharedBytes,
        CrossAttention128::kSharedBytes, CrossAttention160::kSharedBytes, AttentionWideTile<1>::kSharedBytes})
    EXPECT(bytes <= kTuring);
  EXPECT(AttentionWideTile<2>::kSharedBytes <= kOthers);
}

}  // namespace
}  // namespace ipa::cuda
