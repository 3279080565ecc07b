#pragma once
// Changes of weights: W' = W + Σ strength · scale · ΔW, always computed from the file's W, in f32, rounded once. What
// ΔW is: lora_forms.h; a DoRA among them acts on the sum so far, in the order of the list. Merging rewrites the store's
// bytes in place; an empty list restores them, byte for byte.
//
//   LoRA file, adapter's inner LoRA ─open─▶ Lora (names and ranks; factors stay in the file) ─apply─▶ Store
#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/tensor_index.h"
#include "core/threads.h"
#include "weights/lora_forms.h"
#include "weights/names/ip_adapter.h"
#include "weights/store.h"

namespace ipa {

using LoraDeltas = std::map<std::string, std::vector<LoraDelta>>;  // by path of a weight or bias

struct Lora {
  TensorSource source;  // its label is the file's name
  std::map<LoraPart, LoraDeltas> parts;
  std::vector<std::string> unmatched;  // modules of the file that no network has, or has in another shape
  int64_t rank = 0;                    // the largest; 0 where no form has one
  std::vector<std::pair<std::string, std::string>> warnings;  // code, sentence
  std::shared_ptr<const char> identity;                       // tells files apart, see LoraState

  size_t modules(LoraPart part) const;  // layers that are changed
  size_t modules() const;               // in all parts
};

// A network that the file may have factors for: the index of its store's source.
struct LoraNetwork {
  LoraPart part;
  const TensorIndex& index;
};

struct LoraOptions {
  bool allow_nonfinite = false;  // otherwise a NaN or Inf among the factors is TENSOR_NONFINITE
};

// A LoRA file in the names of kohya, diffusers or PEFT. LORA_KEYS_UNMATCHED when nothing fits the networks or the file
// is for a base of another text width; a warning of that code when a part does not fit. MODEL_FORMAT_UNSUPPORTED for
// OFT and other forms that are not in lora_forms.h; no file and no layer is ever applied by half.
Lora open_lora(TensorSource source, std::span<const LoraNetwork> networks, const LoraOptions& options = {});

// The LoRA inside a FaceID adapter: `adapter` in the names of adapter_groups(), `unet` the index of the UNet's source.
// Without such tensors the result changes nothing.
Lora adapter_lora(TensorSource adapter, const CrossAttentions& sites, const TensorIndex& unet,
                  const LoraOptions& options = {});

// Whether both make the same change of every weight, compared number by number.
bool same_deltas(const Lora& a, const Lora& b);

struct ActiveLora {
  const Lora* lora;
  float strength;  // 0 equals not listed
};

// What is merged into one store. Part of what owns the store.
struct LoraState {
  std::vector<std::pair<std::shared_ptr<const char>, float>> merged;  // identity, strength
  std::set<std::string> touched;                                      // weights that differ from the file, or may
  bool broken = false;  // the last change stopped half way; `touched` has all it may have reached
};

// Makes the store hold exactly the file's weights plus `active` of this part, and returns how many weights were
// rewritten: 0 when the same list is merged already. Otherwise the store's generation goes up once. Callers do this
// between runs.
size_t apply_loras(Store& store, ThreadPool& pool, LoraPart part, LoraState& state, std::span<const ActiveLora> active);

// The same for a store whose weights are away: they are merged once they are read again, by the next function.
size_t note_loras(Store& store, LoraPart part, LoraState& state, std::span<const ActiveLora> active);
// Merges into weights that were just read of the file what was active before they left.
void merge_again(Store& store, ThreadPool& pool, LoraPart part, LoraState& state, std::span<const ActiveLora> active);

// One weight with `active` merged, f32, row-major.
std::vector<float> merged_weight(const Store& store, LoraPart part, const std::string& path,
                                 std::span<const ActiveLora> active);

// The source with `active` merged: weights that change are f32 and are computed when they are read. The LoRAs outlive
// it.
TensorSource merged_source(TensorSource source, LoraPart part, std::vector<ActiveLora> active);

}  // namespace ipa
