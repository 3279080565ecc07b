// Commands as a graph of the driver: a chain, each node after the one before it.
#include "cuda/driver/device.h"

namespace ipa::cuda::driver {

namespace {

// Adds one node after another.
struct Chain {
  const std::shared_ptr<Context>& context;
  GraphHandle graph;
  GraphNodeHandle last = nullptr;
  uint64_t launches = 0;

  template <typename Given, typename... More>
  void add(const char* name, const Command& command, const Given& given, More... more) {
    const auto asked = [&] {
      return std::visit(
          [](const auto& its) {
            if constexpr (requires { its.kernel; })
              return text_of(its.kernel, its.grid);
            else
              return text_of(its);
          },
          command);
    };
    GraphNodeHandle node = nullptr;
    const GraphNodeHandle* const after = last ? &last : nullptr;
    context->call(name, asked, function_of(given), &node, graph, after, size_t{last ? 1u : 0u}, &given, more...);
    last = node;
  }

  void operator()(const Command& command) {
    if (const auto* const launch = std::get_if<LaunchCommand>(&command)) {
      const KernelRow& row = *launch->kernel.row;
      void* arguments[] = {const_cast<std::byte*>(launch->arguments.data())};  // the driver only reads them
      KernelNode node{};
      node.function = launch->kernel.function;
      node.grid_x = launch->grid.x, node.grid_y = launch->grid.y, node.grid_z = launch->grid.z;
      node.block_x = row.threads, node.block_y = node.block_z = 1;
      node.shared_bytes = row.shared_bytes, node.arguments = arguments;
      add("cuGraphAddKernelNode", command, node);
      ++launches;
    } else if (const auto* const copy = std::get_if<CopyCommand>(&command)) {
      CopyNode node{};
      node.from_type = node.to_type = kDeviceMemory;
      node.from_device = copy->from, node.to_device = copy->to;
      node.from_pitch = node.to_pitch = node.width = copy->bytes;
      node.from_height = node.to_height = node.height = node.depth = 1;
      add("cuGraphAddMemcpyNode", command, node, context->handle());
    } else {
      const auto& fill = std::get<FillCommand>(command);
      const FillNode node{fill.to, 0, fill.word, 4, fill.count, 1};
      add("cuGraphAddMemsetNode", command, node, context->handle());
    }
  }

  static constexpr auto function_of(const KernelNode&) { return &Table::graph_add_kernel; }
  static constexpr auto function_of(const CopyNode&) { return &Table::graph_add_copy; }
  static constexpr auto function_of(const FillNode&) { return &Table::graph_add_fill; }
};

}  // namespace

Graph::Graph(Device& device, const Commands& commands) {
  const auto graph = created<OwnedGraph>(device.context_, "cuGraphCreate", kNothingMore, &Table::graph_create, 0u);
  Chain chain{device.context_, graph.get()};
  for (const Command& command : commands.list()) chain(command);
  launches_ = chain.launches;
  exec_ = created<OwnedExec>(
      device.context_, "cuGraphInstantiate",
      [&] { return "a graph of " + std::to_string(commands.list().size()) + " commands"; }, &Table::graph_instantiate,
      graph.get(), 0ull);
}

void Graph::run(Device& device) {
  const auto asked = [&] { return "a graph of " + std::to_string(launches_) + " launches"; };
  exec_.context().call("cuGraphLaunch", asked, &Table::graph_launch, exec_.get(), device.stream_.get());
  device.launches_ += launches_;
}

}  // namespace ipa::cuda::driver
