#include "to_onnx/writer.h"

#include <fstream>

#include "core/error.h"
#include "to_onnx/ops.h"

namespace ipa::to_onnx {

namespace {

std::vector<float> in_layout(const std::vector<float>& from, const Shape& s, Layout layout) {
  if (layout == Layout::tokens) return from;
  std::vector<float> to(from.size());
  for (int64_t n = 0; n < s.n; ++n)
    for (int64_t p = 0; p < s.tokens(); ++p)
      for (int64_t c = 0; c < s.c; ++c)
        to[static_cast<size_t>((n * s.c + c) * s.tokens() + p)] =
            from[static_cast<size_t>((n * s.tokens() + p) * s.c + c)];
  return to;
}

// The list of `ports` for ports.json; their numbers go to `file`.
std::string listed(std::ofstream& file, const Plan& plan, const std::map<std::string, ValueId>& ports,
                   const Numbers& numbers) {
  std::string list;
  for (const auto& [name, id] : ports) {
    const Shape& s = plan.values[static_cast<size_t>(id)].shape;
    const auto given = numbers.find(name);
    if (given == numbers.end() || static_cast<int64_t>(given->second.size()) != s.size())
      fail(Code::INTERNAL, "the numbers of " + name + " are not those of " + text(s), "give all of them");
    list += (list.empty() ? "" : ",\n  ") + std::string("{\"name\": \"") + name +
            "\", \"dims\": " + text(dims_in(s, natural(s))) + ", \"offset\": " + std::to_string(file.tellp()) + "}";
    const std::vector<float> values = in_layout(given->second, s, natural(s));
    file.write(reinterpret_cast<const char*>(values.data()),
               static_cast<std::streamsize>(values.size() * sizeof(float)));
  }
  return "[\n  " + list + "]";
}

}  // namespace

void write_plan(const std::filesystem::path& folder, const Plan& plan, const TensorSource& source,
                const Numbers& inputs, const Numbers& outputs) {
  Graph graph(folder);
  Values values(graph, plan);
  for (const auto& [name, id] : plan.inputs) {
    const Layout layout = natural(values.shape(id));
    graph.input(name, dims_in(values.shape(id), layout));
    values.set(id, {name, layout});
  }
  for (const Node& node : plan.nodes) {
    Writing w{graph, values, plan, source, node.path, values.shape(node.output)};
    values.set(node.output, write(w, node.op));
  }
  for (const auto& [name, id] : plan.outputs) {
    graph.stand_for(name);
    const Layout layout = natural(values.shape(id));
    graph.output(name, dims_in(values.shape(id), layout), values.get(id, layout));
  }
  graph.save();

  std::ofstream file(folder / "values.bin", std::ios::binary), list(folder / "ports.json");
  list << "{\"inputs\": " << listed(file, plan, plan.inputs, inputs)
       << ",\n\"outputs\": " << listed(file, plan, plan.outputs, outputs) << "}\n";
  if (!file.flush() || !list.flush())
    fail(Code::MODEL_IO, "values cannot be written to " + folder.string(), "name a folder on a larger disk");
}

}  // namespace ipa::to_onnx
