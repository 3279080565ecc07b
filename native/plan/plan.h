#pragma once
// A recorded network: ops over values whose shapes are all known, and the weights it wants. Immutable once built.
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/shape.h"
#include "core/tensor_index.h"
#include "plan/ops.h"

namespace ipa {

// How a kernel wants a weight laid out in memory. The backend's pack() decides the bytes.
enum class WeightRole : uint8_t {
  matrix,   // Linear [out, in], or Conv2d [out, in, kh, kw] with groups 1: packed for the level
  geglu,    // Linear [2C, in] whose result goes through GEGLU: packed so that value and gate meet in one block
  grouped,  // Conv2d with groups > 1: plain
  vector,   // bias, norm scale and shift, tables: plain f32, row-major
};

// Number type of the operands of matrix products, convolutions and attention. Sums and everything else are f32.
enum class Compute : uint8_t { f32, bf16, f16 };
const char* compute_text(Compute compute);  // "f32"

struct WeightWant {
  std::string path;  // name in the model's own words, "down_blocks.0.resnets.0.conv1.weight"
  Dims dims;         // as in the file
  WeightRole role = WeightRole::vector;
  Compute compute = Compute::f32;  // of the plan that wants it
  bool exact = false;              // Builder::exact
  bool upsampled = false;          // 3x3, of a convolution with a nearest upsample folded in; set by fold
};

// A file that holds what is wanted, in f32.
inline TensorIndex index_of(std::span<const WeightWant> wants) {
  TensorIndex index;
  for (const WeightWant& want : wants) index[want.path].dims = want.dims;
  return index;
}

struct ValueInfo {
  Shape shape;
  std::string input;      // name, when the caller provides it
  ValueId alias = kNone;  // a reshaped view: same bytes (and offset) as this value, which is never a view itself
};

struct Node {
  Op op;
  ValueId output = kNone;
  std::string path;  // scope and name, for listings, errors and IPA_KERNEL
};

struct Plan {
  std::vector<Node> nodes;  // in execution order
  std::vector<ValueInfo> values;
  std::vector<WeightWant> weights;  // each path once
  std::map<std::string, ValueId> inputs;
  std::map<std::string, ValueId> outputs;  // kept until the end of the run; taps asked for are among them
  Compute compute = Compute::f32;

  // Recording knows no number types: whoever records says afterwards what the plan computes with.
  void compute_with(Compute with) {
    compute = with;
    for (WeightWant& want : weights) want.compute = with;
  }
};

// plan/fold.cpp: merges element ops into the producers before them (epilogues), nearest upsamples into convolutions and
// scaled attention sums into one Attend. Same numbers up to the order of rounding; a test compares both forms.
Plan fold(const Plan& plan);

// plan/place.cpp: every value a fixed offset in one arena; values whose lifetimes overlap never share bytes.
struct Layout {
  std::vector<int64_t> offsets;  // bytes, by ValueId; -1 for values that do not exist any more
  int64_t bytes = 0;             // size of the arena
};
// What a backend knows of a value that the plan does not say.
struct ValueMemory {
  uint32_t number_bytes = sizeof(float);  // of one of its numbers; 0: it is never there as a whole
  int32_t until = -1;                     // a later node that reads it too, by index
};
// `values`: one for each, or none.
Layout place(const Plan& plan, std::span<const ValueMemory> values = {});

// plan/bands.cpp: a folded plan whose values take at most `room` by the measure of `bytes`, with what is too large made
// some rows after the other; nothing where that cannot be. It has the same inputs, outputs and weights.
std::optional<Plan> in_bands(const Plan& plan, int64_t room, const std::function<int64_t(const Plan&)>& bytes);

// plan/print.cpp: one line per op, readable and stable (test/plans/ holds listings under review).
std::string print(const Plan& plan);

}  // namespace ipa
