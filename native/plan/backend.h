#pragma once
// All a backend is. cpu/ offers one per level, cuda/ one in a library of its own (hence abi and size first).
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "core/dtype.h"
#include "plan/plan.h"

namespace ipa {

class StopFlag;

// Where a packed weight lies. Addresses are fixed for the life of a store, so merging a LoRA rewrites bytes in place.
struct WeightAddress {
  const void* data = nullptr;
  DType type = DType::f32;  // Backend::stored_type
};

// Prepared once per (plan, layout): kernels chosen, addresses resolved. Defined by the backend.
struct Program;

struct Bindings {
  // Parallel to Plan::inputs and Plan::outputs by name order: where inputs are read from and outputs written to, f32.
  std::vector<const float*> inputs;
  std::vector<float*> outputs;
};

// What the rows of a block are counted in: rows of the file, for GEGLU those of the values.
inline int64_t pack_rows(const WeightWant& want) {
  const int64_t rows = want.dims.empty() ? 1 : want.dims[0];
  return want.role == WeightRole::geglu ? rows / 2 : rows;
}

// A block of rows as the file has them. GEGLU: the rows of the values, then as many of their gates.
struct WeightRows {
  int64_t first, rows;
  const void* from;
  DType type;  // f32, f16 or bf16
};

enum class RunStatus : uint8_t { done, stopped, nonfinite };

struct Backend {
  uint32_t abi = 1;
  uint32_t size = sizeof(Backend);
  void* self = nullptr;   // handed to every function below: the backend's own state
  const char* name = "";  // "cpu:avx512"

  // The number type in which a weight is kept that the file has as `file`: that one, where it saves memory and no
  // digit.
  DType (*stored_type)(void* self, const WeightWant& want, DType file) = nullptr;
  // Bytes of a weight in the layout of this backend.
  size_t (*packed_bytes)(void* self, const WeightWant& want, DType stored) = nullptr;
  // Weights are packed by blocks of rows, by any threads in any order: a block begins at a multiple of this many rows
  // and has a multiple of them or ends with the weight. pack_rows(want) where the weight is wanted at once.
  int64_t (*pack_unit)(void* self, const WeightWant& want) = nullptr;
  // Brings a block into its place in the packed weight, which begins at `to`.
  void (*pack)(void* self, const WeightWant& want, DType stored, const WeightRows& rows, void* to) = nullptr;

  // `weights[i]` is the packed weight of plan.weights[i]. Throws Error. `arena` has layout.bytes, aligned to 64.
  Program* (*prepare)(void* self, const Plan& plan, const Layout& layout, const WeightAddress* weights,
                      void* arena) = nullptr;
  // Scratch that the kernels of this plan need besides the arena (bytes); part of what a run is budgeted.
  size_t (*scratch_bytes)(const Program& program) = nullptr;
  // Never allocates or throws. Polls the stop flag at least once per attention block.
  // With `check`, stops at the first op that makes a NaN or Inf; status_path() then names it.
  RunStatus (*run)(Program& program, const Bindings& bindings, const StopFlag& stop, bool check) = nullptr;
  const std::string& (*status_path)(const Program& program) = nullptr;
  void (*release)(Program* program) = nullptr;

  // What this backend computes fastest with; it takes f32 besides. Plans and weights say which they want.
  Compute fastest = Compute::f32;
};

}  // namespace ipa
