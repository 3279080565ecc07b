#include "runtime/prompt.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <string>

#include "core/error.h"
#include "models/clip_layer.h"

namespace ipa {

namespace {

bool all_one(std::span<const float> weights) {
  return std::all_of(weights.begin(), weights.end(), [](float w) { return w == 1.0f; });
}

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

// One encoder at work on one prompt.
class Encoding {
 public:
  Encoding(const PromptInput& in, Emphasis emphasis, const StopFlag& stop) : in_(in), emphasis_(emphasis), stop_(stop) {
    for (const FadedPiece& piece : in.faded) shares_.push_back(share(piece.weight));
  }

  // The states of one chunk, weights applied; with `pooled` the pooled text is left there.
  Tensor chunk(size_t number, Tensor* pooled) {
    Tensor states = weighted(number, {}, pooled);
    if (!in_.faded.empty()) fade(number, states);
    return states;
  }

 private:
  // What the encoding without a piece counts, beside 1 for the whole prompt.
  static double share(double weight) {
    constexpr double kLeast = 1e-5;  // the tangent of a right angle has no end
    return std::tan((1 - std::max(weight, kLeast)) * std::numbers::pi / 2);
  }

  // `words`: the inputs that put vectors in place of tokens.
  Tensor states(const std::vector<float>& ids, Tensors words, const HiddenTokens& hidden, Tensor* pooled) {
    Tensors inputs = {{"ids", {{1, 1, static_cast<int64_t>(ids.size()), 1}, ids}}};
    if (pooled) {
      const auto end = std::max_element(ids.begin(), ids.end());  // the first of the largest: the end token
      inputs["end"] = {{1, 1, 1, 1}, {static_cast<float>(end - ids.begin())}};
    }
    const bool vectors = !words.empty();
    inputs.merge(words);
    std::map<std::string, double> numbers = {{"skip", in_.skip + (in_.penultimate ? 1 : 0)},
                                             {"final_norm", in_.penultimate ? 0 : 1},
                                             {"pooled", pooled ? 1 : 0},
                                             {"vectors", vectors ? 1 : 0}};
    if (hidden.count > 0) {
      numbers["hidden_first"] = static_cast<double>(hidden.first);
      numbers["hidden_count"] = static_cast<double>(hidden.count);
    }
    Tensors result = in_.network->run("hidden", inputs, numbers, {}, stop_);
    if (pooled) *pooled = std::move(result.at("pooled"));
    return std::move(result.at("hidden"));
  }

  Tensor weighted(size_t number, const HiddenTokens& hidden, Tensor* pooled) {
    Tensor made = states(in_.chunks[number], placed(in_, number), hidden, pooled);
    if (in_.weights.empty()) return made;
    const std::vector<float>& weights = in_.weights[number];
    if (emphasis_ != Emphasis::from_empty) {
      emphasise(made.data, weights, emphasis_);
    } else if (!all_one(weights)) {
      if (empty_.data.empty()) empty_ = states(in_.empty, {}, {}, nullptr);
      emphasise_from(made.data, weights, empty_.data);
    }
    return made;
  }

  // The mean of the whole prompt's states and of those without each piece, by their shares. A piece that is not in this
  // chunk leaves it as it is.
  void fade(size_t number, Tensor& whole) {
    double all = 1;
    std::vector<double> sums(whole.data.begin(), whole.data.end());
    const auto add = [&](const Tensor& t, double share) {
      for (size_t i = 0; i < sums.size(); ++i) sums[i] += share * static_cast<double>(t.data[i]);
    };
    for (size_t i = 0; i < in_.faded.size(); ++i) {
      all += shares_[i];
      const auto& runs = in_.faded[i].runs;
      const auto here = std::find_if(runs.begin(), runs.end(), [&](const auto& run) { return run.chunk == number; });
      add(here == runs.end() ? whole : weighted(number, {here->first, here->count}, nullptr), shares_[i]);
    }
    for (size_t i = 0; i < sums.size(); ++i) whole.data[i] = static_cast<float>(sums[i] / all);
  }

  const PromptInput& in_;
  Emphasis emphasis_;
  const StopFlag& stop_;
  std::vector<double> shares_;  // of the faded pieces
  Tensor empty_;                // states of the empty prompt, once they were needed
};

void check_ids(const PromptInput& in, const std::vector<float>& ids) {
  for (float id : ids)
    if (!(id >= 0 && id < static_cast<float>(in.config->vocabulary)))
      fail(Code::OPTION_RANGE,
           "token id " + std::to_string(static_cast<int64_t>(id)) + " is outside the encoder's vocabulary of " +
               std::to_string(in.config->vocabulary),
           "use the tokenizer that belongs to this text encoder");
}

// [1, 1, T * chunks, D] of one encoder, and its pooled vector.
PromptEncoding encode(const PromptInput& in, Emphasis emphasis, const StopFlag& stop) {
  check_ids(in, in.empty);
  PromptEncoding out;
  Encoding encoding(in, emphasis, stop);
  for (size_t chunk = 0; chunk < in.chunks.size(); ++chunk) {
    check_ids(in, in.chunks[chunk]);
    Tensor states = encoding.chunk(chunk, in.pooled && chunk == 0 ? &out.pooled : nullptr);
    if (chunk == 0) {
      out.context = std::move(states);
    } else {
      out.context.shape.w += states.shape.tokens();
      out.context.data.insert(out.context.data.end(), states.data.begin(), states.data.end());
    }
  }
  return out;
}

}  // namespace

void emphasise(std::span<float> states, std::span<const float> weights, Emphasis emphasis) {
  if (emphasis == Emphasis::none || all_one(weights)) return;
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
    for (size_t i = t * width; weights[t] != 1.0f && i < (t + 1) * width; ++i)
      states[i] = empty[i] + weights[t] * (states[i] - empty[i]);
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
