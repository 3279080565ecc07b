#include "runtime/prompt.h"

#include <algorithm>

#include "core/error.h"

namespace ipa {

namespace {

double mean(std::span<const float> v) {
  double sum = 0;
  for (float a : v) sum += static_cast<double>(a);
  return sum / static_cast<double>(v.size());
}

// The inputs that put vectors into a chunk; none where it has none.
Tensors placed(const PromptInput& in, size_t chunk) {
  Tensors inputs;
  const int64_t tokens = static_cast<int64_t>(in.chunks[chunk].size()), width = in.config->width;
  for (const PromptVectors& word : in.vectors) {
    if (word.chunk != chunk) continue;
    Tensor& vectors = inputs["vectors"];
    Tensor& keep = inputs["keep"];
    if (keep.data.empty()) {
      vectors = {{1, 1, tokens, width}, std::vector<float>(static_cast<size_t>(tokens * width))};
      keep = {{1, 1, tokens, 1}, std::vector<float>(static_cast<size_t>(tokens), 1.0f)};
    }
    const size_t d = static_cast<size_t>(width), rows = word.numbers.size() / d;
    std::copy(word.numbers.begin(), word.numbers.end(),
              vectors.data.begin() + static_cast<std::ptrdiff_t>(word.at * d));
    std::fill_n(keep.data.begin() + static_cast<std::ptrdiff_t>(word.at), rows, 0.0f);
  }
  return inputs;
}

// [1, 1, T * chunks, D] of one encoder, and its pooled vector.
PromptEncoding encode(const PromptInput& in, Emphasis emphasis, const StopFlag& stop) {
  PromptEncoding out;
  for (size_t chunk = 0; chunk < in.chunks.size(); ++chunk) {
    const std::vector<float>& ids = in.chunks[chunk];
    for (float id : ids)
      if (!(id >= 0 && id < static_cast<float>(in.config->vocabulary)))
        fail(Code::OPTION_RANGE,
             "token id " + std::to_string(static_cast<int64_t>(id)) + " is outside the encoder's vocabulary of " +
                 std::to_string(in.config->vocabulary),
             "use the tokenizer that belongs to this text encoder");
    const bool pooled = in.pooled && chunk == 0;
    Tensors inputs = {{"ids", {{1, 1, static_cast<int64_t>(ids.size()), 1}, ids}}};
    if (pooled) {
      const auto end = std::max_element(ids.begin(), ids.end());  // the first of the largest: the end token
      inputs["end"] = {{1, 1, 1, 1}, {static_cast<float>(end - ids.begin())}};
    }
    Tensors words = placed(in, chunk);
    const bool vectors = !words.empty();
    inputs.merge(words);
    Tensors result = in.network->run("hidden", inputs,
                                     {{"skip", in.skip + (in.penultimate ? 1 : 0)},
                                      {"final_norm", in.penultimate ? 0 : 1},
                                      {"pooled", pooled ? 1 : 0},
                                      {"vectors", vectors ? 1 : 0}},
                                     {}, stop);
    Tensor& hidden = result.at("hidden");
    if (!in.weights.empty()) emphasise(hidden.data, in.weights[chunk], emphasis);
    if (chunk == 0) {
      out.context = std::move(hidden);
    } else {
      out.context.shape.w += hidden.shape.tokens();
      out.context.data.insert(out.context.data.end(), hidden.data.begin(), hidden.data.end());
    }
    if (pooled) out.pooled = std::move(result.at("pooled"));
  }
  return out;
}

}  // namespace

void emphasise(std::span<float> states, std::span<const float> weights, Emphasis emphasis) {
  const bool plain = std::all_of(weights.begin(), weights.end(), [](float w) { return w == 1.0f; });
  if (emphasis == Emphasis::none || plain || weights.empty()) return;
  const double before = mean(states);
  const size_t width = states.size() / weights.size();
  for (size_t t = 0; t < weights.size(); ++t)
    for (size_t c = 0; c < width; ++c) states[t * width + c] *= weights[t];
  if (emphasis != Emphasis::original) return;
  const float back = static_cast<float>(before / mean(states));
  for (float& v : states) v *= back;
}

void emphasise_from(std::span<float> states, std::span<const float> weights, std::span<const float> empty) {
  const size_t width = weights.empty() ? 0 : states.size() / weights.size();
  for (size_t t = 0; t < weights.size(); ++t)
    for (size_t i = t * width; i < (t + 1) * width; ++i) states[i] = empty[i] + weights[t] * (states[i] - empty[i]);
}

PromptEncoding encode_prompt(const std::vector<PromptInput>& inputs, Emphasis emphasis, const StopFlag& stop) {
  PromptEncoding out = encode(inputs.at(0), emphasis, stop);
  for (size_t i = 1; i < inputs.size(); ++i) {
    PromptEncoding other = encode(inputs[i], emphasis, stop);
    const Shape a = out.context.shape, b = other.context.shape;
    if (a.tokens() != b.tokens())
      fail(Code::INTERNAL, "two text encoders gave different numbers of tokens", "report this with the prompt");
    Tensor joined{{1, 1, a.tokens(), a.c + b.c}, {}};
    joined.data.reserve(static_cast<size_t>(joined.shape.size()));
    for (int64_t t = 0; t < a.tokens(); ++t) {
      const auto row = [t](const Tensor& tensor) { return tensor.data.begin() + t * tensor.shape.c; };
      joined.data.insert(joined.data.end(), row(out.context), row(out.context) + a.c);
      joined.data.insert(joined.data.end(), row(other.context), row(other.context) + b.c);
    }
    out.context = std::move(joined);
    if (!other.pooled.data.empty()) out.pooled = std::move(other.pooled);
  }
  return out;
}

}  // namespace ipa
