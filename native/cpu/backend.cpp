#include "cpu/backend.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <vector>

#include "core/error.h"
#include "cpu/memory.h"
#include "cpu/steps.h"

namespace ipa::cpu {

namespace {

// Steps in order, over an arena with a place for every value.
struct Program : ipa::Program {
  struct Port {
    Place place;
    int64_t count;
    std::string name;
  };
  struct Ready {
    cpu::Step step;
    const float* result;
    int64_t count;
    std::string path;
  };

  explicit Program(ThreadPool& threads, size_t bytes) : pool(threads), arena(bytes) {}
  ThreadPool& pool;
  Buffer arena;
  std::vector<Port> inputs, outputs;  // by name
  std::vector<Ready> steps;
  size_t scratch_bytes = 0;
  Arena scratch;
  const std::string none;
  const std::string* status_path = &none;
};

const Program& own(const ipa::Program& program) { return static_cast<const Program&>(program); }
Program& own(ipa::Program& program) { return static_cast<Program&>(program); }

// The kernels that compute with this type.
const Level& kernels(const Device& device, Compute compute) {
  if (compute == Compute::f32) return device.level;
  if (compute == Compute::bf16 && device.level.bf16) return *device.level.bf16;
  fail(Code::DEVICE_UNSUPPORTED, device.name + " has no " + compute_text(compute) + " kernels", "use dtype f32 or auto",
       {{"option", "dtype"}, {"found", compute_text(compute)}});
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

void pack(void* self, const WeightWant& want, DType stored, const WeightRows& rows, Place to) {
  if (!is_packed(want)) {
    const int64_t row = product(want.dims) / pack_rows(want);
    to_f32(rows.type, static_cast<const std::byte*>(rows.from), numbers(to) + rows.first * row,
           static_cast<size_t>(rows.rows * row));
    return;
  }
  const int64_t n = want.dims[0], cin = want.dims[1];  // [N, Cin, kh, kw] or [N, K]
  kernels(*static_cast<Device*>(self), want)
      .pack({rows.from, rows.type, n, cin, product(want.dims) / (n * cin), want.role == WeightRole::geglu, rows.first,
             rows.rows, address(to), stored});
}

ipa::Program* prepare(void* self, const Plan& plan, const Layout& layout, const WeightPlace* weights) {
  Device& device = *static_cast<Device*>(self);
  auto program = std::make_unique<Program>(device.pool, static_cast<size_t>(layout.bytes));
  const Place arena{&program->arena, 0};
  const auto ports = [&](const std::map<std::string, ValueId>& values, std::vector<Program::Port>& list) {
    for (const auto& [name, id] : values)
      list.push_back({arena.at(static_cast<size_t>(layout.offsets[id])), plan.values[id].shape.size(), name});
  };
  ports(plan.inputs, program->inputs);
  ports(plan.outputs, program->outputs);
  const Preferences preferred = preferences(std::getenv("IPA_KERNEL"));
  for (const Node& node : plan.nodes) {
    const Site site{plan, layout, weights, address(arena), kernels(device, plan, node.op), device.pool.threads(), node};
    Program::Ready ready{make_step(site, preferred), site.result(), site.shape(node.output).size(), node.path};
    program->scratch_bytes = std::max(program->scratch_bytes, ready.step.scratch);
    program->steps.push_back(std::move(ready));
  }
  program->scratch = allocate(program->scratch_bytes);
  return program.release();
}

void release(ipa::Program* program) { delete static_cast<Program*>(program); }

size_t scratch_bytes(const ipa::Program& program) { return own(program).scratch_bytes; }
Place input(const ipa::Program& program, size_t index) { return own(program).inputs[index].place; }
Place output(const ipa::Program& program, size_t index) { return own(program).outputs[index].place; }

RunStatus run(ipa::Program& of, const StopFlag& stop, bool check) {
  Program& program = own(of);
  program.status_path = &program.none;
  for (size_t i = 0; check && i < program.inputs.size(); ++i) {
    const Program::Port& input = program.inputs[i];
    if (all_finite(numbers(input.place), input.count)) continue;
    program.status_path = &input.name;
    return RunStatus::nonfinite;
  }
  const Context context{program.pool, stop, program.scratch.get()};
  for (const Program::Ready& ready : program.steps) {
    if (stop.raised()) return RunStatus::stopped;
    ready.step.run(context);
    // A kernel that saw the flag left early: what it made must be neither judged nor used.
    if (stop.raised()) return RunStatus::stopped;
    if (!check || all_finite(ready.result, ready.count)) continue;
    program.status_path = &ready.path;
    return RunStatus::nonfinite;
  }
  return RunStatus::done;
}

const std::string& status_path(const ipa::Program& program) { return *own(program).status_path; }

}  // namespace

Backend make_backend(Device& device) {
  Backend b;
  b.self = &device;
  b.name = device.name.c_str();
  b.fastest = device.level.bf16 ? Compute::bf16 : Compute::f32;
  offer_memory(b);
  offer_latents(b);
  b.stored_type = stored_type;
  b.packed_bytes = packed_bytes;
  b.pack_unit = pack_unit;
  b.pack = pack;
  b.prepare = prepare;
  b.release = release;
  b.scratch_bytes = scratch_bytes;
  b.input = input;
  b.output = output;
  b.run = run;
  b.status_path = status_path;
  return b;
}

}  // namespace ipa::cpu
