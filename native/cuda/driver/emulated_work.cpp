// Work of the emulated device: modules, launches, copies, fills, graphs.
#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "cuda/driver/emulated_machine.h"

namespace ipa::cuda::driver {
namespace {

constexpr int kUnasked = 48 * 1024;  // bytes of shared memory a function may have without asking for more

bool overlap(Address a, Address b, size_t bytes) { return a < b + bytes && b < a + bytes; }

// A launch as it was asked for, or why it is refused.
std::variant<RecordedLaunch, Result> recorded(const ContextOf& machine, FunctionHandle function,
                                              const unsigned (&grid)[3], const unsigned (&block)[3],
                                              unsigned shared_bytes, void* const* arguments, void* const* extra) {
  if (!machine.owns(function)) return kInvalidHandle;
  const KernelRow& row = *function->row;
  const bool grid_fits =
      grid[0] > 0 && grid[1] > 0 && grid[2] > 0 && grid[0] <= 0x7fffffffu && grid[1] <= 65535 && grid[2] <= 65535;
  // Fewer threads than a kernel was written for are a defect of the host, whatever a card says to it.
  const bool block_fits = block[0] == row.threads && block[1] == 1 && block[2] == 1;
  if (!grid_fits || !block_fits || !arguments || !arguments[0] || extra) return kInvalidValue;
  if (shared_bytes > static_cast<unsigned>(function->most_shared)) return kInvalidValue;
  RecordedLaunch launch{function, {grid[0], grid[1], grid[2]}, {block[0], block[1], block[2]}, shared_bytes, {}};
  const auto* const bytes = static_cast<const std::byte*>(arguments[0]);
  launch.arguments.assign(bytes, bytes + row.argument_bytes);
  return launch;
}

Result add(ContextOf& machine, GraphNodeHandle* node, GraphHandle graph, std::span<const GraphNodeHandle> after,
           RecordedWork work) {
  if (!machine.graphs.holds(graph)) return kInvalidHandle;
  for (const GraphNodeHandle before : after)
    if (std::ranges::find(graph->nodes, before, &std::unique_ptr<GraphNodeOf>::get) == graph->nodes.end())
      return kInvalidValue;
  graph->nodes.push_back(std::make_unique<GraphNodeOf>(GraphNodeOf{std::move(work), {after.begin(), after.end()}}));
  return *node = graph->nodes.back().get(), kSuccess;
}

// The nodes' work in an order that holds to their dependencies and nothing else.
std::vector<RecordedWork> in_order(const GraphOf& graph) {
  std::vector<RecordedWork> work;
  std::vector<const GraphNodeOf*> waiting, done;
  for (const auto& node : graph.nodes) waiting.push_back(node.get());
  const auto ready = [&](const GraphNodeOf* node) {
    return std::ranges::all_of(node->after, [&](const GraphNodeOf* before) {
      return std::find(done.rbegin(), done.rend(), before) != done.rend();
    });
  };
  while (!waiting.empty()) {
    // A node comes after those it names, so the first of those that wait is ready if no other is.
    const auto last = std::find_if(waiting.rbegin(), waiting.rend(), ready);
    work.push_back((*last)->work), done.push_back(*last);
    waiting.erase(std::next(last).base());
  }
  return work;
}

}  // namespace

int most_shared(int capability) noexcept {
  switch (capability) {  // source: CUDA C++ programming guide, technical specifications per compute capability
    case 75:
      return 64 * 1024;
    case 80:
    case 87:
      return 163 * 1024;
    case 86:
    case 89:
      return 99 * 1024;
    default:
      return capability < 75 ? 48 * 1024 : capability >= 120 ? 99 * 1024 : 227 * 1024;
  }
}

Result ContextOf::run(const RecordedLaunch& launch) {
  const KernelRow& row = *launch.function->row;
  emulator::Launch given;
  given.kernel = row.name;
  given.grid = {launch.grid[0], launch.grid[1], launch.grid[2]};
  given.threads = launch.block[0], given.shared_bytes = launch.shared_bytes;
  given.pool = settings.pool;
  given.readable = memory.ranges();
  try {
    row.run(given, launch.arguments.data());
  } catch (const Error& misuse) {
    sticky = kLaunchFailed, sticky_text = misuse.what();
    return sticky;
  }
  if (settings.check_launches) {
    const size_t before = complaints.size();
    memory.check_zones(complaints);
    for (size_t i = before; i < complaints.size(); ++i) complaints[i] += ", by kernel " + quoted(row.name);
  }
  return kSuccess;
}

// In one row, as our host code copies.
Result ContextOf::run(const CopyNode& copy) {
  const bool plain = copy.height == 1 && copy.depth == 1 && copy.from_type == kDeviceMemory &&
                     copy.to_type == kDeviceMemory && !copy.from_x && !copy.from_y && !copy.from_z && !copy.to_x &&
                     !copy.to_y && !copy.to_z;
  if (!plain || !memory.holds(copy.from_device, copy.width) || !memory.holds(copy.to_device, copy.width) ||
      overlap(copy.from_device, copy.to_device, copy.width))
    return kInvalidValue;
  std::memcpy(memory_at(copy.to_device), memory_at(copy.from_device), copy.width);
  return kSuccess;
}

Result ContextOf::run(const FillNode& fill) {
  const bool whole = fill.element_bytes == 1 || fill.element_bytes == 4;
  if (!whole || fill.height != 1 || fill.to % fill.element_bytes != 0 || fill.width > SIZE_MAX / 4 ||
      !memory.holds(fill.to, fill.width * fill.element_bytes))
    return kInvalidValue;
  if (fill.element_bytes == 1)
    std::memset(memory_at(fill.to), static_cast<int>(fill.value), fill.width);
  else
    std::fill_n(reinterpret_cast<uint32_t*>(memory_at(fill.to)), fill.width, fill.value);
  return kSuccess;
}

bool ContextOf::owns(FunctionHandle function) const {
  return modules.any([&](const ModuleOf& module) {
    return std::ranges::any_of(module.functions, [&](const auto& entry) { return entry.second.get() == function; });
  });
}

namespace calls {

// Any image: the kernels are those compiled for the CPU.
Result module_load(ModuleHandle* module, const void*) noexcept {
  return in_context([&](ContextOf& machine) { return *module = machine.modules.create(), kSuccess; });
}
Result module_unload(ModuleHandle module) noexcept {
  return in_context([&](ContextOf& machine) { return machine.modules.destroy(module); });
}
Result module_function(FunctionHandle* function, ModuleHandle module, const char* name) noexcept {
  return in_context([&](ContextOf& machine) {
    if (!machine.modules.holds(module)) return kInvalidHandle;
    const KernelRow* const row = find_kernel(name);
    if (!row) return kNotFound;
    std::unique_ptr<FunctionOf>& own = module->functions[name];
    if (!own) own = std::make_unique<FunctionOf>(FunctionOf{row, kUnasked});
    return *function = own.get(), kSuccess;
  });
}
Result function_set_attribute(FunctionHandle function, FunctionAttribute attribute, int value) noexcept {
  return in_context([&](ContextOf& machine) {
    if (!machine.owns(function)) return kInvalidHandle;
    if (attribute != kMaxDynamicShared || value < 0 || value > most_shared(machine.settings.capability))
      return kInvalidValue;
    return function->most_shared = value, kSuccess;
  });
}
Result launch(FunctionHandle function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
              unsigned block_y, unsigned block_z, unsigned shared_bytes, StreamHandle stream, void** arguments,
              void** extra) noexcept {
  return in_stream(stream, [&](ContextOf& machine) {
    const auto given = recorded(machine, function, {grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, shared_bytes,
                                arguments, extra);
    const auto* const work = std::get_if<RecordedLaunch>(&given);
    if (!work) return std::get<Result>(given);
    return machine.ask(stream, [&machine, launch = *work] { return machine.run(launch); });
  });
}

Result graph_create(GraphHandle* graph, unsigned) noexcept {
  return in_context([&](ContextOf& machine) { return *graph = machine.graphs.create(), kSuccess; });
}
Result graph_destroy(GraphHandle graph) noexcept {
  return in_context([&](ContextOf& machine) { return machine.graphs.destroy(graph); });
}
Result graph_add_kernel(GraphNodeHandle* node, GraphHandle graph, const GraphNodeHandle* after, size_t count,
                        const KernelNode* given) noexcept {
  return in_context([&](ContextOf& machine) {
    const KernelNode& k = *given;
    auto work = recorded(machine, k.function, {k.grid_x, k.grid_y, k.grid_z}, {k.block_x, k.block_y, k.block_z},
                         k.shared_bytes, k.arguments, k.extra);
    auto* const launch = std::get_if<RecordedLaunch>(&work);
    return launch ? add(machine, node, graph, {after, count}, std::move(*launch)) : std::get<Result>(work);
  });
}
Result graph_add_copy(GraphNodeHandle* node, GraphHandle graph, const GraphNodeHandle* after, size_t count,
                      const CopyNode* given, ContextHandle) noexcept {
  return in_context([&](ContextOf& machine) { return add(machine, node, graph, {after, count}, *given); });
}
Result graph_add_fill(GraphNodeHandle* node, GraphHandle graph, const GraphNodeHandle* after, size_t count,
                      const FillNode* given, ContextHandle) noexcept {
  return in_context([&](ContextOf& machine) { return add(machine, node, graph, {after, count}, *given); });
}
Result graph_instantiate(GraphExecHandle* exec, GraphHandle graph, unsigned long long) noexcept {
  return in_context([&](ContextOf& machine) {
    if (!machine.graphs.holds(graph)) return kInvalidHandle;
    return *exec = machine.execs.create(std::make_shared<const std::vector<RecordedWork>>(in_order(*graph))), kSuccess;
  });
}
Result graph_launch(GraphExecHandle exec, StreamHandle stream) noexcept {
  return in_stream(stream, [&](ContextOf& machine) {
    if (!machine.execs.holds(exec)) return kInvalidHandle;
    return machine.ask(stream, [&machine, all = exec->work] {
      for (const RecordedWork& work : *all)
        if (const Result result = std::visit([&](const auto& its) { return machine.run(its); }, work)) return result;
      return kSuccess;
    });
  });
}
Result graph_exec_destroy(GraphExecHandle exec) noexcept {
  return in_context([&](ContextOf& machine) { return machine.execs.destroy(exec); });
}

}  // namespace calls

}  // namespace ipa::cuda::driver
