#pragma once
// Prompt chunks -> the context that cross-attention reads.
#include <vector>

#include "models/configs.h"
#include "runtime/network.h"

namespace ipa {

enum class Emphasis { original, no_norm, none, from_empty };

// A piece of the prompt that has less weight than 1: the prompt is encoded once more with its tokens hidden from all
// others, and that encoding is mixed in, the more the less the piece weighs.   source: compel, DownweightMode.MASK
struct FadedPiece {
  struct Run {
    size_t chunk;
    int64_t first, count;  // tokens of that chunk
  };
  double weight;          // below 1
  std::vector<Run> runs;  // one per chunk at most
};

// Rows that stand for tokens of one chunk, one after the other, in place of what their ids are looked up as.
struct PromptVectors {
  size_t chunk, at;            // at: the first token
  std::vector<float> numbers;  // [n, D]
};

struct PromptInput {
  Network* network;
  const ClipTextConfig* config;
  std::vector<std::vector<float>> chunks;   // token ids, as many per chunk as the encoder has positions
  std::vector<std::vector<float>> weights;  // one per token, or none: all 1
  std::vector<PromptVectors> vectors = {};
  std::vector<float> empty = {};  // from_empty: the chunk of an empty prompt
  std::vector<FadedPiece> faded = {};
  int skip = 0;              // layers left out at the end
  bool penultimate = false;  // SDXL: the last but one layer, no final norm
  bool pooled = false;       // of the first chunk
};

struct PromptEncoding {
  Tensor context;  // [1, 1, T * chunks, D], D summed over the encoders
  Tensor pooled;   // [1, 1, 1, P] or empty
};

PromptEncoding encode_prompt(const std::vector<PromptInput>& inputs, Emphasis emphasis, const StopFlag& stop);

// Multiplies every token of one chunk by its weight; `original` then restores the mean over the whole chunk.
// source: AUTOMATIC1111 web UI, "Original" and "No norm"
void emphasise(std::span<float> states, std::span<const float> weights, Emphasis emphasis);
// Moves every token whose weight is not 1 away from the empty prompt's state by it; the mean is not restored.
// source: ComfyUI
void emphasise_from(std::span<float> states, std::span<const float> weights, std::span<const float> empty);

}  // namespace ipa
