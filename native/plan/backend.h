#pragma once
// All a backend is. cpu/ offers one per level, cuda/ one in a library of its own (hence abi and size first).
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "plan/plan.h"

namespace ipa {

class StopFlag;

// Where a packed weight lies. Addresses are fixed for the life of a store, so merging a LoRA rewrites bytes in place.
using WeightAddress = const void*;

// Prepared once per (plan, layout): kernels chosen, addresses resolved. Defined by the backend.
struct Program;

struct Bindings {
  // Parallel to Plan::inputs and Plan::outputs by name order: where inputs are read from and outputs written to, f32.
  std::vector<const float*> inputs;
  std::vector<float*> outputs;
};

enum class RunStatus : uint8_t { done, stopped, nonfinite };

struct Backend {
  uint32_t abi = 1;
  uint32_t size = sizeof(Backend);
  void* self = nullptr;   // handed to every function below: the backend's own state
  const char* name = "";  // "cpu:avx512"

  // Bytes of a weight in the layout of this backend, and the conversion from row-major f32 as in the file.
  size_t (*packed_bytes)(void* self, const WeightWant& want) = nullptr;
  void (*pack)(void* self, const WeightWant& want, const float* from, void* to) = nullptr;

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
