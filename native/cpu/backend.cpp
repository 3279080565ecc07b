#include "cpu/backend.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "core/arena.h"
#include "core/error.h"
#include "cpu/steps.h"

namespace ipa {

// Steps in order, and what is copied into the arena before them and out of it after them.
struct Program {
  struct Bound {
    float* place;  // in the arena
    int64_t count;
    std::string name;
  };
  struct Ready {
    cpu::Step step;
    const float* result;
    int64_t count;
    std::string path;
  };

  ThreadPool* pool;
  std::vector<Bound> inputs, outputs;  // by name
  std::vector<Ready> steps;
  size_t scratch_bytes = 0;
  Arena scratch;
  const std::string none;
  const std::string* status_path = &none;
};

namespace cpu {
namespace {

// The kernels that compute with this type.
const Level& kernels(const Device& device, Compute compute) {
  if (compute == Compute::f32) return device.level;
  if (!device.level.bf16)
    fail(Code::DEVICE_UNSUPPORTED, device.name + " has no bf16 kernels", "use dtype f32 or auto",
         {{"option", "dtype"}, {"found", "bf16"}});
  return *device.level.bf16;
}

const Level& kernels(const Device& device, const WeightWant& want) {
  const Level& level = kernels(device, want.compute);
  return want.exact && level.exact_in_f32 ? device.level : level;
}

// Products are made where their weight is packed for, all else where the plan computes.
const Level& kernels(const Device& device, const Plan& plan, const Op& op) {
  const auto* conv = std::get_if<Conv2d>(&op);
  const auto* linear = std::get_if<Linear>(&op);
  if (!conv && !linear) return kernels(device, plan.compute);
  return kernels(device, plan.weights[conv ? conv->weight : linear->weight]);
}

bool is_packed(const WeightWant& want) { return want.role == WeightRole::matrix || want.role == WeightRole::geglu; }

// f32 kernels widen a block at a time, bf16 kernels have their own layout.
DType stored_type(void* self, const WeightWant& want, DType file) {
  if (!is_packed(want)) return DType::f32;
  const Device& device = *static_cast<Device*>(self);
  if (&kernels(device, want) != &device.level) return DType::bf16;
  const bool widens = device.level.matmul != nullptr;
  return widens && (file == DType::f16 || file == DType::bf16) ? file : DType::f32;
}

size_t packed_bytes(void* self, const WeightWant& want, DType stored) {
  if (!is_packed(want)) return static_cast<size_t>(product(want.dims)) * sizeof(float);
  const int64_t n = want.dims[0];
  return kernels(*static_cast<Device*>(self), want).packed_bytes(product(want.dims) / n, n, stored);
}

int64_t pack_unit(void* self, const WeightWant& want) {
  if (!is_packed(want)) return 1;
  const int64_t panel = kernels(*static_cast<Device*>(self), want).panel;
  return want.role == WeightRole::geglu ? std::max<int64_t>(panel / 2, 1) : panel;
}

void pack(void* self, const WeightWant& want, DType stored, const WeightRows& rows, void* to) {
  if (!is_packed(want)) {
    const int64_t row = product(want.dims) / pack_rows(want);
    to_f32(rows.type, static_cast<const std::byte*>(rows.from), static_cast<float*>(to) + rows.first * row,
           static_cast<size_t>(rows.rows * row));
    return;
  }
  const int64_t n = want.dims[0], cin = want.dims[1];  // [N, Cin, kh, kw] or [N, K]
  kernels(*static_cast<Device*>(self), want)
      .pack({rows.from, rows.type, n, cin, product(want.dims) / (n * cin), want.role == WeightRole::geglu, rows.first,
             rows.rows, to, stored});
}

Program* prepare(void* self, const Plan& plan, const Layout& layout, const WeightAddress* weights, void* arena) {
  Device& device = *static_cast<Device*>(self);
  auto program = std::make_unique<Program>();
  program->pool = &device.pool;
  std::byte* bytes = static_cast<std::byte*>(arena);
  const auto bind = [&](const std::map<std::string, ValueId>& values, std::vector<Program::Bound>& list) {
    for (const auto& [name, id] : values)
      list.push_back({reinterpret_cast<float*>(bytes + layout.offsets[id]), plan.values[id].shape.size(), name});
  };
  bind(plan.inputs, program->inputs);
  bind(plan.outputs, program->outputs);
  const Preferences preferred = preferences(std::getenv("IPA_KERNEL"));
  for (const Node& node : plan.nodes) {
    const Site site{plan, layout, weights, bytes, kernels(device, plan, node.op), device.pool.threads(), node};
    Program::Ready ready{make_step(site, preferred), site.result(), site.shape(node.output).size(), node.path};
    program->scratch_bytes = std::max(program->scratch_bytes, ready.step.scratch);
    program->steps.push_back(std::move(ready));
  }
  program->scratch = allocate(program->scratch_bytes);
  return program.release();
}

size_t scratch_bytes(const Program& program) { return program.scratch_bytes; }

// No NaN and no Inf among `count` numbers: both have all exponent bits set.
bool finite(const float* x, int64_t count) noexcept {
  constexpr uint32_t kExponent = 0x7f800000u;
  uint32_t bad = 0;
  for (int64_t i = 0; i < count; ++i) bad |= (std::bit_cast<uint32_t>(x[i]) & kExponent) == kExponent;
  return !bad;
}

RunStatus run(Program& program, const Bindings& bindings, const StopFlag& stop, bool check) {
  program.status_path = &program.none;
  for (size_t i = 0; i < program.inputs.size(); ++i) {
    const Program::Bound& input = program.inputs[i];
    std::copy_n(bindings.inputs[i], input.count, input.place);
    if (!check || finite(input.place, input.count)) continue;
    program.status_path = &input.name;
    return RunStatus::nonfinite;
  }
  const Context context{*program.pool, stop, program.scratch.get()};
  for (const Program::Ready& ready : program.steps) {
    if (stop.raised()) return RunStatus::stopped;
    ready.step.run(context);
    // A kernel that saw the flag left early: what it made must be neither judged nor used.
    if (stop.raised()) return RunStatus::stopped;
    if (!check || finite(ready.result, ready.count)) continue;
    program.status_path = &ready.path;
    return RunStatus::nonfinite;
  }
  for (size_t i = 0; i < program.outputs.size(); ++i)
    if (bindings.outputs[i]) std::copy_n(program.outputs[i].place, program.outputs[i].count, bindings.outputs[i]);
  return RunStatus::done;
}

const std::string& status_path(const Program& program) { return *program.status_path; }

void release(Program* program) { delete program; }

}  // namespace

Backend make_backend(Device& device) {
  Backend b;
  b.self = &device;
  b.name = device.name.c_str();
  b.stored_type = stored_type;
  b.packed_bytes = packed_bytes;
  b.pack_unit = pack_unit;
  b.pack = pack;
  b.prepare = prepare;
  b.scratch_bytes = scratch_bytes;
  b.run = run;
  b.status_path = status_path;
  b.release = release;
  b.fastest = device.level.bf16 ? Compute::bf16 : Compute::f32;
  return b;
}

}  // namespace cpu
}  // namespace ipa
