#pragma once
// All a backend is. cpu/ offers one per level, cuda/ one in a library of its own (hence abi and size first).
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/dtype.h"
#include "plan/plan.h"

namespace ipa {

class StopFlag;

// Memory of a backend, which alone reads and writes it: the host does so through Backend::write and Backend::read.
struct Buffer {
  size_t bytes = 0;
};

// A point in a buffer, from which a caller knows what follows.
struct Place {
  Buffer* buffer = nullptr;
  size_t offset = 0;  // bytes

  Place at(size_t bytes) const { return {buffer, offset + bytes}; }
};

// Where a packed weight lies. Places are fixed for the life of a store, so merging a LoRA rewrites bytes in place.
struct WeightPlace {
  Place place;
  DType type = DType::f32;  // Backend::stored_type
};

// Prepared once per (plan, layout): kernels chosen, addresses resolved, memory of its own for every value. Each backend
// has its own kind of it.
struct Program {};

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

// From one place to another of the same backend; they do not overlap.
struct Copy {
  Place from, to;
  size_t bytes;
};

// One operand of Backend::combine. A factor of 0 means that it may never have been set: it is not read, so a NaN there
// cannot leak in.
struct Term {
  double factor;
  Place x;  // f32
};

struct Backend {
  uint32_t abi = 3;
  uint32_t size = sizeof(Backend);
  void* self = nullptr;   // handed to every function below: the backend's own state
  const char* name = "";  // "cpu:avx512"
  // What this backend computes fastest with; it takes f32 besides. Plans and weights say which they want.
  Compute fastest = Compute::f32;
  // What is fastest for numbers beyond the range of f16.
  Compute fastest_wide = Compute::f32;
  // Its memory is not the host's: what is not needed for a while may leave it.
  bool apart = false;

  // ---- memory ----
  // Aligned to 64. Throws HOST_OUT_OF_MEMORY, DEVICE_OUT_OF_MEMORY.
  Buffer* (*allocate)(void* self, size_t bytes) = nullptr;
  void (*free)(void* self, Buffer* buffer) = nullptr;
  // Memory of the host, for weights that come over each time a program runs. Null where the backend's is the host's.
  Buffer* (*allocate_streamed)(void* self, size_t bytes) = nullptr;
  // Seconds that bringing so many bytes of it over takes, about: measured when it is first asked for.
  double (*streaming_seconds)(void* self, size_t bytes) = nullptr;
  // Asks for a part of a buffer to be there before it is written, by the calling thread; what it holds is lost.
  void (*populate)(void* self, Place place, size_t bytes) = nullptr;
  // To and from memory of the host, after everything asked for before; done when they return.
  void (*write)(void* self, Place to, const void* from, size_t bytes) = nullptr;
  void (*read)(void* self, Place from, void* to, size_t bytes) = nullptr;
  void (*copy)(void* self, const Copy* copies, size_t count) = nullptr;

  // ---- weights ----
  // The number type in which a weight is kept that the file has as `file`: that one, where it saves memory and no
  // digit.
  DType (*stored_type)(void* self, const WeightWant& want, DType file) = nullptr;
  // Bytes of a weight in the layout of this backend.
  size_t (*packed_bytes)(void* self, const WeightWant& want, DType stored) = nullptr;
  // Weights are packed by blocks of rows, by any threads in any order: a block begins at a multiple of this many rows
  // and has a multiple of them or ends with the weight. pack_rows(want) where the weight is wanted at once.
  int64_t (*pack_unit)(void* self, const WeightWant& want) = nullptr;
  // Brings a block into its place in the packed weight, which begins at `to`.
  void (*pack)(void* self, const WeightWant& want, DType stored, const WeightRows& rows, Place to) = nullptr;

  // ---- plans ----
  // What it keeps of each value of a plan, for place(); null: all of them as f32, as long as the plan reads them.
  void (*memory)(void* self, const Plan& plan, ValueMemory* of_values) = nullptr;
  // `weights[i]` is the packed weight of plan.weights[i]. Throws Error.
  Program* (*prepare)(void* self, const Plan& plan, const Layout& layout, const WeightPlace* weights) = nullptr;
  void (*release)(Program* program) = nullptr;
  // What its memory takes besides the layout: scratch of kernels (bytes). Part of what a run is budgeted.
  size_t (*scratch_bytes)(const Program& program) = nullptr;
  // Where an input is written and an output found, f32, numbered in the order of their names. Inputs stay as they were
  // set, over any number of runs; outputs until the next run.
  Place (*input)(const Program& program, size_t index) = nullptr;
  Place (*output)(const Program& program, size_t index) = nullptr;
  // Allocates nothing; a card makes its graph of the program in the first run. Throws Error only where a device fails.
  // Polls the stop flag: a CPU at least once per attention block, a card before and after the graph, which is a step.
  // With `check`, stops at the first op that makes a NaN or Inf; status_path() then names it.
  RunStatus (*run)(Program& program, const StopFlag& stop, bool check) = nullptr;
  const std::string& (*status_path)(const Program& program) = nullptr;

  // ---- between the runs of a step loop: `count` numbers each ----
  // out[i] = the sum of factor * x[i] over the terms, at most 8, in f64, in their order. out may be one of the x.
  void (*combine)(void* self, Place out, const Term* terms, size_t terms_count, size_t count) = nullptr;
  // out = u + scale (c - u), and with rescale > 0 the spread of c brought back; out may be u or c.
  // source: arXiv 2305.08891, 3.4
  void (*guide)(void* self, Place unconditional, Place conditional, double scale, double rescale, Place out,
                size_t count) = nullptr;
  bool (*finite)(void* self, Place x, size_t count) = nullptr;  // neither NaN nor Inf among them
};

// What a backend computes with.
inline bool computes_with(const Backend& backend, Compute compute) {
  return compute == Compute::f32 || compute == backend.fastest || compute == backend.fastest_wide;
}
// The same for a network whose numbers leave the range of f16.
inline Compute wide_of(const Backend& backend, Compute compute) {
  return compute == Compute::f16 ? backend.fastest_wide : compute;
}

// Where the values of a plan lie with this backend.
inline Layout layout_of(const Backend& backend, const Plan& plan) {
  if (!backend.memory) return place(plan);
  std::vector<ValueMemory> values(plan.values.size());
  backend.memory(backend.self, plan, values.data());
  return place(plan, values);
}

// A buffer that is given back with its owner.
class Memory {
 public:
  Memory() = default;
  Memory(const Backend& backend, size_t bytes) : backend_(&backend), buffer_(backend.allocate(backend.self, bytes)) {}
  static Memory streamed(const Backend& backend, size_t bytes) {
    Memory memory;
    memory.backend_ = &backend, memory.buffer_ = backend.allocate_streamed(backend.self, bytes);
    return memory;
  }
  Memory(Memory&& other) noexcept { *this = std::move(other); }
  Memory& operator=(Memory&& other) noexcept {
    std::swap(backend_, other.backend_);
    std::swap(buffer_, other.buffer_);
    return *this;
  }
  ~Memory() {
    if (buffer_) backend_->free(backend_->self, buffer_);
  }

  Place place(size_t offset = 0) const { return {buffer_, offset}; }

 private:
  const Backend* backend_ = nullptr;
  Buffer* buffer_ = nullptr;
};

}  // namespace ipa
