#include "cuda/backend/program.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "core/stop.h"
#include "cuda/backend/fusion.h"
#include "cuda/backend/lowering.h"
#include "cuda/backend/step_loop.h"
#include "cuda/backend/weight_stream.h"
#include "cuda/backend/weights.h"

namespace ipa::cuda {

namespace {

Card& own(void* self) { return *static_cast<Card*>(self); }

struct CardProgram : Program {
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
  // Steps whose streamed weights are there at once; all of them where none are streamed.
  struct Part {
    size_t first, end;
    std::optional<driver::Graph> graph = {};  // made by the first run that is not checked
  };

  CardProgram(Card& its_card, size_t bytes)
      : card(its_card), arena(its_card.device.allocate(bytes, "the values of a plan")) {}
  Card& card;
  Buffer arena;
  driver::Memory scratch, arrivals, kept;
  std::optional<WeightStream> stream;
  size_t scratch_bytes = 0;
  std::vector<Port> inputs, outputs;
  std::vector<Step> steps;
  std::vector<Part> parts;
  std::vector<driver::Commands> casts;  // of arena.watched, one each
  const std::string none;
  const std::string* status_path = &none;
};

CardProgram& own(Program& program) { return static_cast<CardProgram&>(program); }
const CardProgram& own(const Program& program) { return static_cast<const CardProgram&>(program); }

// Brings what was written since the last run to where products read it.
void cast_changed(CardProgram& program) {
  for (size_t i = 0; i < program.casts.size(); ++i) {
    if (!program.arena.watched[i].changed) continue;
    program.card.device.run(program.casts[i]);
    program.arena.watched[i].changed = false;
  }
}

void replay(CardProgram& program, CardProgram::Part& part) {
  driver::Device& device = program.card.device;
  if (program.card.graphs && !part.graph) {
    driver::Commands all;
    for (size_t i = part.first; i < part.end; ++i) all.append(program.steps[i].commands);
    part.graph.emplace(device, all);
  }
  if (program.card.graphs) return part.graph->run(device);
  for (size_t i = part.first; i < part.end; ++i) device.run(program.steps[i].commands);
}

// Launch by launch, each result looked at; the path of the first that holds a NaN or Inf.
const std::string* run_checked(CardProgram& program, const CardProgram::Part& part, const StopFlag& stop) {
  Card& card = program.card;
  for (size_t i = part.first; i < part.end; ++i) {
    const CardProgram::Step& step = program.steps[i];
    if (stop.raised()) return nullptr;
    card.device.run(step.commands);
    if (step.count > 0 && !finite(&card, step.result, static_cast<size_t>(step.count))) return &step.path;
  }
  return nullptr;
}

const std::string* run_parts(CardProgram& program, const StopFlag& stop, bool check) {
  const std::string* bad = nullptr;
  for (size_t i = 0; i < program.parts.size() && !bad && !(i > 0 && stop.raised()); ++i) {
    if (program.stream) program.stream->begin(i);
    if (check)
      bad = run_checked(program, program.parts[i], stop);
    else
      replay(program, program.parts[i]);
    if (program.stream) program.stream->end(i);
  }
  return bad;
}

}  // namespace

void memory(void*, const Plan& plan, ValueMemory* of_values) {
  for (const Stored stored : storage(plan)) (of_values++)->number_bytes = stored == Stored::operand ? 2 : 4;
}

// Places values itself, as its launches read and write them: some are never made, some live until a later launch.
Program* prepare(void* self, const Plan& plan, const Layout& given, const WeightPlace* weights) {
  Card& card = own(self);
  const std::vector<Stored> stored = storage(plan);
  const Fusion fusion = fuse(plan, stored, card.device.properties());
  const Layout& layout = fusion.layout;
  auto program = std::make_unique<CardProgram>(card, std::max<size_t>(static_cast<size_t>(layout.bytes), 4));
  program->arrivals = card.device.allocate(kArrivals * sizeof(uint32_t), "the counters of split products");
  card.device.fill(program->arrivals.at(), 0, kArrivals);
  Memories memories{program->arena.memory.at(), 0, program->arrivals.at()};

  WeightAddresses addresses;
  std::vector<Place> places;
  std::vector<size_t> streamed;  // bytes
  for (size_t i = 0; i < plan.weights.size(); ++i) {
    const bool streams = static_cast<Buffer*>(weights[i].place.buffer)->is_streamed();
    places.push_back(weights[i].place);
    streamed.push_back(streams ? packed_bytes(self, plan.weights[i], weights[i].type) : 0);
    addresses.resident.push_back(streams ? 0 : address(weights[i].place));
  }
  // Once without scratch and ring, to learn how much it takes and who reads which weight.
  const LoweredPlan first = lower_plan(card.device, plan, fusion, addresses, stored, memories);
  program->scratch_bytes = first.scratch_bytes;
  const bool streams = std::any_of(streamed.begin(), streamed.end(), [](size_t bytes) { return bytes > 0; });
  Ring ring = ring_of(first.reads, streams ? streamed : std::vector<size_t>(streamed.size()));
  std::vector<std::pair<size_t, size_t>> stretches;  // of nodes
  for (const Stretch& stretch : ring.stretches) stretches.emplace_back(stretch.first, stretch.end);
  if (streams) {
    program->stream.emplace(card, std::move(ring), std::move(places), std::move(streamed));
    addresses.ring = &program->stream->ring(), addresses.ring_at = program->stream->at();
  }

  const std::vector<KeptInput> inputs = kept_inputs(plan);
  const size_t inputs_bytes = kept_bytes(inputs);
  program->kept = card.device.allocate(std::max<size_t>(inputs_bytes, 4), "the inputs of a plan as operands");
  memories.kept = program->kept.at();
  program->scratch = card.device.allocate(std::max<size_t>(program->scratch_bytes, 4), "the scratch of a plan");
  memories.scratch = program->scratch.at();
  program->scratch_bytes += inputs_bytes + static_cast<size_t>(std::max<int64_t>(layout.bytes - given.bytes, 0));
  if (program->stream) program->scratch_bytes += program->stream->ring().bytes();

  const Place arena{&program->arena, 0};
  const auto place_of = [&](ValueId id) {
    return arena.at(static_cast<size_t>(layout.offsets[static_cast<size_t>(id)]));
  };
  LoweredPlan lowered = lower_plan(card.device, plan, fusion, addresses, stored, memories);
  for (const auto& [first_node, end_node] : stretches) {
    CardProgram::Part part{program->steps.size(), 0};
    for (size_t i = first_node; i < end_node; ++i) {
      const Node& node = plan.nodes[i];
      if (fusion.absorbed[static_cast<size_t>(node.output)]) continue;
      CardProgram::Step step{std::move(lowered.nodes[i]), place_of(node.output), 0, node.path};
      if (stored[static_cast<size_t>(node.output)] == Stored::f32)
        step.count = plan.values[static_cast<size_t>(node.output)].shape.size();
      program->steps.push_back(std::move(step));
    }
    part.end = program->steps.size();
    program->parts.push_back(std::move(part));
  }
  program->casts = std::move(lowered.casts);
  for (const KeptInput& input : inputs)
    program->arena.watched.push_back({place_of(input.id).offset, static_cast<size_t>(input.count) * sizeof(float)});
  const auto ports = [&](const std::map<std::string, ValueId>& values, std::vector<CardProgram::Port>& list) {
    for (const auto& [name, id] : values)
      list.push_back({place_of(id), plan.values[static_cast<size_t>(id)].shape.size(), name});
  };
  ports(plan.inputs, program->inputs);
  ports(plan.outputs, program->outputs);
  return program.release();
}

void release(Program* program) { delete static_cast<CardProgram*>(program); }
size_t scratch_bytes(const Program& program) { return own(program).scratch_bytes; }
Place input(const Program& program, size_t index) { return own(program).inputs[index].place; }
Place output(const Program& program, size_t index) { return own(program).outputs[index].place; }
const std::string& status_path(const Program& program) { return *own(program).status_path; }

RunStatus run(Program& of, const StopFlag& stop, bool check) {
  CardProgram& program = own(of);
  Card& card = program.card;
  program.status_path = &program.none;
  if (stop.raised()) return RunStatus::stopped;
  const std::string* bad = nullptr;
  for (size_t i = 0; check && !bad && i < program.inputs.size(); ++i) {
    const CardProgram::Port& port = program.inputs[i];
    if (!finite(&card, port.place, static_cast<size_t>(port.count))) bad = &port.name;
  }
  if (!bad) {
    cast_changed(program);
    bad = run_parts(program, stop, check);
    card.device.synchronize();
  }
  if (!bad) return stop.raised() ? RunStatus::stopped : RunStatus::done;
  program.status_path = bad;
  return RunStatus::nonfinite;
}

}  // namespace ipa::cuda
