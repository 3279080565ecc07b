#include "cuda/backend/backend.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "core/dtype.h"
#include "core/stop.h"
#include "cuda/backend/fusion.h"
#include "cuda/backend/lowering.h"
#include "cuda/backend/step_loop.h"
#include "cuda/kernels/latents.h"
#include "cuda/packing.h"

namespace ipa::cuda {

namespace {

Card& own(void* self) { return *static_cast<Card*>(self); }

// ---- memory ----

ipa::Buffer* allocate(void* self, size_t bytes) {
  return new Buffer(own(self).device.allocate(std::max<size_t>(bytes, 4), "a buffer"));
}
void free_buffer(void*, ipa::Buffer* buffer) { delete static_cast<Buffer*>(buffer); }
void populate(void*, Place, size_t) {}  // it is there from the start
void write(void* self, Place to, const void* from, size_t bytes) {
  written(to, bytes);
  own(self).device.upload(address(to), from, bytes);
}
void read(void* self, Place from, void* to, size_t bytes) { own(self).device.download(to, address(from), bytes); }

// ---- weights ----

bool is_matrix(const WeightWant& want) { return want.role == WeightRole::matrix || want.role == WeightRole::geglu; }

DType stored_type(void*, const WeightWant& want, DType) {
  if (!packs_operands(want)) return DType::f32;
  return want.compute == Compute::f16 ? DType::f16 : DType::bf16;
}

size_t packed_bytes(void*, const WeightWant& want, DType stored) {
  const int64_t numbers = product(want.dims), more = packs_doubled(want) ? numbers / 9 * 16 : 0;
  return static_cast<size_t>(numbers + more) * dtype_size(stored);
}

// GEGLU's values and gates meet by eights; what the direct convolution reads has rows innermost.
int64_t pack_unit(void*, const WeightWant& want) {
  if (!is_matrix(want)) return 1;
  if (!packs_operands(want)) return pack_rows(want);
  return want.role == WeightRole::geglu ? 8 : 1;
}

void upload(Card& card, Place to, const std::byte* from, size_t bytes) {
  const std::lock_guard lock(card.mutex);
  card.device.upload(address(to), from, bytes);
}

// Rows of each of the four behind the weight.
void pack_four(Card& card, const WeightWant& want, DType stored, const WeightRows& rows, Place to) {
  to = to.at(static_cast<size_t>(product(want.dims)) * dtype_size(stored));
  const size_t row = static_cast<size_t>(want.dims[1] * 4) * dtype_size(stored);  // bytes
  const size_t part = row * static_cast<size_t>(rows.rows), whole = row * static_cast<size_t>(want.dims[0]);
  std::vector<std::byte> packed(4 * part);
  pack_doubled({rows.from, rows.type, packed.data(), stored, rows.rows, want.dims[1], 9});
  for (size_t i = 0; i < 4; ++i)
    upload(card, to.at(i * whole + row * static_cast<size_t>(rows.first)), &packed[i * part], part);
}

void pack(void* self, const WeightWant& want, DType stored, const WeightRows& rows, Place to) {
  const bool geglu = want.role == WeightRole::geglu;
  const int64_t count = rows.rows * (geglu ? 2 : 1), row = product(want.dims) / want.dims[0];
  std::vector<std::byte> packed(static_cast<size_t>(count * row) * dtype_size(stored));
  if (!is_matrix(want)) {
    to_f32(rows.type, static_cast<const std::byte*>(rows.from), reinterpret_cast<float*>(packed.data()),
           static_cast<size_t>(count * row));
  } else {
    const int64_t channels = want.dims[1];
    const PackArguments arguments{rows.from, rows.type, packed.data(),  stored,
                                  count,     channels,  row / channels, geglu && packs_operands(want)};
    if (packs_operands(want))
      cuda::pack_rows(arguments);
    else
      pack_columns(arguments);
  }
  const size_t offset = static_cast<size_t>(rows.first * (geglu ? 2 : 1) * row) * dtype_size(stored);
  upload(own(self), to.at(offset), packed.data(), packed.size());
  if (packs_doubled(want)) pack_four(own(self), want, stored, rows, to);
}

// ---- plans ----

void memory(void*, const Plan& plan, ValueMemory* of_values) {
  for (const Stored stored : storage(plan)) (of_values++)->number_bytes = stored == Stored::operand ? 2 : 4;
}

struct Program : ipa::Program {
  struct Port {
    Place place;
    int64_t count;
    std::string name;
  };
  struct Step {
    driver::Commands commands;
    Place result;
    int64_t count;  // 0: it lies as 16 bits and is not looked at
    std::string path;
  };

  Program(Card& its_card, size_t bytes)
      : card(its_card), arena(its_card.device.allocate(bytes, "the values of a plan")) {}
  Card& card;
  Buffer arena;
  driver::Memory scratch, arrivals, kept;
  size_t scratch_bytes = 0;
  std::vector<Port> inputs, outputs;
  std::vector<Step> steps;
  std::optional<driver::Graph> graph;   // of all steps, made by the first run that is not checked
  std::vector<driver::Commands> casts;  // of arena.watched, one each
  const std::string none;
  const std::string* status_path = &none;
};

Program& own(ipa::Program& program) { return static_cast<Program&>(program); }
const Program& own(const ipa::Program& program) { return static_cast<const Program&>(program); }

// Places values itself, as its launches read and write them: some are never made, some live until a later launch.
ipa::Program* prepare(void* self, const Plan& plan, const Layout& given, const WeightPlace* weights) {
  Card& card = own(self);
  const std::vector<Stored> stored = storage(plan);
  const Fusion fusion = fuse(plan, stored, card.device.properties());
  const Layout& layout = fusion.layout;
  auto program = std::make_unique<Program>(card, std::max<size_t>(static_cast<size_t>(layout.bytes), 4));
  std::vector<driver::Address> addresses;
  for (size_t i = 0; i < plan.weights.size(); ++i) addresses.push_back(address(weights[i].place));
  program->arrivals = card.device.allocate(kArrivals * sizeof(uint32_t), "the counters of split products");
  card.device.fill(program->arrivals.at(), 0, kArrivals);
  Memories memories{program->arena.memory.at(), 0, program->arrivals.at()};
  // Once without scratch, to learn how much it takes.
  program->scratch_bytes = lower_plan(card.device, plan, fusion, addresses, stored, memories).scratch_bytes;
  const std::vector<KeptInput> inputs = kept_inputs(plan);
  const size_t inputs_bytes = kept_bytes(inputs);
  program->kept = card.device.allocate(std::max<size_t>(inputs_bytes, 4), "the inputs of a plan as operands");
  memories.kept = program->kept.at();
  program->scratch = card.device.allocate(std::max<size_t>(program->scratch_bytes, 4), "the scratch of a plan");
  memories.scratch = program->scratch.at();
  program->scratch_bytes += inputs_bytes + static_cast<size_t>(std::max<int64_t>(layout.bytes - given.bytes, 0));

  const Place arena{&program->arena, 0};
  const auto place_of = [&](ValueId id) {
    return arena.at(static_cast<size_t>(layout.offsets[static_cast<size_t>(id)]));
  };
  LoweredPlan lowered = lower_plan(card.device, plan, fusion, addresses, stored, memories);
  for (size_t i = 0; i < plan.nodes.size(); ++i) {
    const Node& node = plan.nodes[i];
    if (fusion.absorbed[static_cast<size_t>(node.output)]) continue;
    Program::Step step{std::move(lowered.nodes[i]), place_of(node.output), 0, node.path};
    if (stored[static_cast<size_t>(node.output)] == Stored::f32)
      step.count = plan.values[static_cast<size_t>(node.output)].shape.size();
    program->steps.push_back(std::move(step));
  }
  program->casts = std::move(lowered.casts);
  for (const KeptInput& input : inputs)
    program->arena.watched.push_back({place_of(input.id).offset, static_cast<size_t>(input.count) * sizeof(float)});
  const auto ports = [&](const std::map<std::string, ValueId>& values, std::vector<Program::Port>& list) {
    for (const auto& [name, id] : values)
      list.push_back({place_of(id), plan.values[static_cast<size_t>(id)].shape.size(), name});
  };
  ports(plan.inputs, program->inputs);
  ports(plan.outputs, program->outputs);
  return program.release();
}

void release(ipa::Program* program) { delete static_cast<Program*>(program); }
size_t scratch_bytes(const ipa::Program& program) { return own(program).scratch_bytes; }
Place input(const ipa::Program& program, size_t index) { return own(program).inputs[index].place; }
Place output(const ipa::Program& program, size_t index) { return own(program).outputs[index].place; }
const std::string& status_path(const ipa::Program& program) { return *own(program).status_path; }

// Brings what was written since the last run to where products read it.
void cast_changed(Program& program) {
  for (size_t i = 0; i < program.casts.size(); ++i) {
    if (!program.arena.watched[i].changed) continue;
    program.card.device.run(program.casts[i]);
    program.arena.watched[i].changed = false;
  }
}

void replay(Program& program) {
  if (!program.card.graphs) {
    for (const Program::Step& step : program.steps) program.card.device.run(step.commands);
    return;
  }
  if (!program.graph) {
    driver::Commands all;
    for (const Program::Step& step : program.steps) all.append(step.commands);
    program.graph.emplace(program.card.device, all);
  }
  program.graph->run(program.card.device);
}

// Launch by launch, each result looked at; the path of the first that holds a NaN or Inf.
const std::string* run_checked(Program& program, const StopFlag& stop) {
  Card& card = program.card;
  for (const Program::Step& step : program.steps) {
    if (stop.raised()) return nullptr;
    card.device.run(step.commands);
    if (step.count > 0 && !finite(&card, step.result, static_cast<size_t>(step.count))) return &step.path;
  }
  return nullptr;
}

RunStatus run(ipa::Program& of, const StopFlag& stop, bool check) {
  Program& program = own(of);
  Card& card = program.card;
  program.status_path = &program.none;
  if (stop.raised()) return RunStatus::stopped;
  const std::string* bad = nullptr;
  for (size_t i = 0; check && !bad && i < program.inputs.size(); ++i) {
    const Program::Port& port = program.inputs[i];
    if (!finite(&card, port.place, static_cast<size_t>(port.count))) bad = &port.name;
  }
  if (!bad) {
    cast_changed(program);
    if (check)
      bad = run_checked(program, stop);
    else
      replay(program);
    card.device.synchronize();
  }
  if (!bad) return stop.raised() ? RunStatus::stopped : RunStatus::done;
  program.status_path = bad;
  return RunStatus::nonfinite;
}

}  // namespace

Backend make_backend(Card& card) {
  Backend b;
  b.self = &card;
  b.name = card.name.c_str();
  b.fastest = Compute::f16;
  b.apart = true;
  b.allocate = allocate;
  b.free = free_buffer;
  b.populate = populate;
  b.write = write;
  b.read = read;
  b.copy = copy;
  b.stored_type = stored_type;
  b.packed_bytes = packed_bytes;
  b.pack_unit = pack_unit;
  b.pack = pack;
  b.memory = memory;
  b.prepare = prepare;
  b.release = release;
  b.scratch_bytes = scratch_bytes;
  b.input = input;
  b.output = output;
  b.run = run;
  b.status_path = status_path;
  b.combine = combine;
  b.guide = guide;
  b.finite = finite;
  return b;
}

}  // namespace ipa::cuda
