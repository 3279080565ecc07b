// Vectors in place of tokens: what a token's own vector gives, given from outside.
#include "runtime/prompt.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "cpu/table.h"
#include "cuda/card.h"
#include "models/golden_model.h"
#include "runtime/recorders.h"
#include "test.h"
#include "weights/synthetic.h"
#include "weights/tensor_values.h"

namespace {

using namespace ipa;
using namespace ipa::test;

constexpr size_t kTokens = 77;

TensorSource weights(const GoldenModel& m) { return synthetic(m.prefix, m.index, m.factors); }

// A tiny text encoder with a projection, two chunks of a prompt.
struct Case {
  Case(std::shared_ptr<Device> device, Compute with)
      : model("text2"),
        config(detect_clip_text(model.index, model.config)),
        table(tensor_values(weights(model), "text_model.embeddings.token_embedding.weight")),
        network(device, clip_text_plans(config, with), weights(model), {}) {
    for (const std::vector<float>& words : {std::vector<float>{1, 5, 9, 3, 7, 2}, std::vector<float>{1, 4, 6}}) {
      std::vector<float> ids = words;
      ids.resize(kTokens, static_cast<float>(config.vocabulary - 1));  // the end token
      chunks.push_back(ids);
    }
  }

  std::vector<float> row(int id) const {
    const auto first = table.begin() + static_cast<std::ptrdiff_t>(id) * config.width;
    return {first, first + config.width};
  }
  PromptEncoding encoded(const std::vector<PromptVectors>& vectors) {
    PromptInput in{&network, &config, chunks, {}, vectors};
    in.pooled = true;
    for (const PromptVectors& word : vectors)  // what their ids are does not count
      std::fill_n(in.chunks[word.chunk].begin() + static_cast<std::ptrdiff_t>(word.at),
                  word.numbers.size() / static_cast<size_t>(config.width), 0.0f);
    return encode_prompt({in}, Emphasis::none, StopFlag{});
  }

  GoldenModel model;
  ClipTextConfig config;
  std::vector<float> table;  // [vocabulary, D]
  Network network;
  std::vector<std::vector<float>> chunks;
};

std::vector<float> joined(std::vector<float> a, const std::vector<float>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

void check(Case& c, const std::string& where) {
  const PromptEncoding plain = c.encoded({});
  const PromptEncoding twin = c.encoded({{0, 2, joined(c.row(9), c.row(3))}, {1, 1, c.row(4)}});
  EXPECT_CLOSE(twin.context.data, plain.context.data, 0, "a token's own vector on " + where);
  EXPECT_CLOSE(twin.pooled.data, plain.pooled.data, 0, "its pooled text on " + where);
  const PromptEncoding other = c.encoded({{1, 2, c.row(8)}});
  const std::ptrdiff_t width = c.config.width, changed = (static_cast<std::ptrdiff_t>(kTokens) + 2) * width;
  const auto& [a, b] = std::pair(other.context.data, plain.context.data);
  EXPECT(std::equal(a.begin(), a.begin() + changed, b.begin()));  // what stands before it does not see it
  EXPECT(!std::equal(a.begin() + changed, a.begin() + changed + width, b.begin() + changed));
  EXPECT_CLOSE(c.encoded({}).context.data, plain.context.data, 0, "without vectors again on " + where);
}

TEST("prompt: a token's own vector in its place is that token, to the bit") {
  for (const cpu::Level* level : cpu::levels()) {
    const std::shared_ptr<Device> device = cpu_device(level->name, /*threads=*/2);
    Case c(device, device->backend.fastest);
    check(c, level->name);
  }
}

TEST("prompt: the same on the emulated device") {
  for (const Compute with : {Compute::f32, Compute::f16}) {
    EmulatedCard card;
    Case c(std::shared_ptr<Device>(new Device{"emulated", "sm_80", card.pool, card.backend}), with);
    check(c, std::string("emulated ") + compute_text(with));
  }
}

}  // namespace
