#include "onnx/graph.h"

#include <algorithm>
#include <set>
#include <utility>

#include "core/error.h"
#include "onnx/recorder.h"

namespace ipa {

namespace onnx {

namespace {

constexpr size_t kAny = 1u << 16;
constexpr int64_t kOldestOpset = 9, kNewestOpset = 18;

constexpr Operator kOperators[] = {
    // name, fewest inputs, most inputs, most outputs
    {"Abs", 1, 1, 1, unary},
    {"Add", 2, 2, 1, binary},
    {"AveragePool", 1, 1, 1, average_pool},
    {"BatchNormalization", 5, 5, 5, batch_normalization},
    {"Cast", 1, 1, 1, cast},
    {"Ceil", 1, 1, 1, unary},
    {"Clip", 1, 3, 1, clip},
    {"Concat", 1, kAny, 1, concat},
    {"Constant", 0, 0, 1, constant},
    {"ConstantOfShape", 1, 1, 1, constant_of_shape},
    {"Conv", 2, 3, 1, conv},
    {"Div", 2, 2, 1, binary},
    {"Dropout", 1, 3, 2, dropout},
    {"Exp", 1, 1, 1, unary},
    {"Flatten", 1, 1, 1, flatten},
    {"Floor", 1, 1, 1, unary},
    {"Gather", 2, 2, 1, gather},
    {"Gemm", 2, 3, 1, gemm},
    {"GlobalAveragePool", 1, 1, 1, global_average_pool},
    {"Identity", 1, 1, 1, identity},
    {"LeakyRelu", 1, 1, 1, unary},
    {"MatMul", 2, 2, 1, matmul},
    {"MaxPool", 1, 1, 2, max_pool},
    {"Mul", 2, 2, 1, binary},
    {"Neg", 1, 1, 1, unary},
    {"PRelu", 2, 2, 1, binary},
    {"Pad", 1, 4, 1, pad},
    {"Pow", 2, 2, 1, binary},
    {"ReduceL2", 1, 2, 1, reduce},
    {"ReduceMean", 1, 2, 1, reduce},
    {"Relu", 1, 1, 1, unary},
    {"Reshape", 2, 2, 1, reshape},
    {"Resize", 2, 4, 1, resize},
    {"Shape", 1, 1, 1, shape},
    {"Sigmoid", 1, 1, 1, unary},
    {"Slice", 1, 5, 1, slice},
    {"Softmax", 1, 1, 1, softmax},
    {"Split", 1, 2, kAny, split},
    {"Sqrt", 1, 1, 1, unary},
    {"Squeeze", 1, 2, 1, squeeze},
    {"Sub", 2, 2, 1, binary},
    {"Tanh", 1, 1, 1, unary},
    {"Transpose", 1, 1, 1, transpose},
    {"Unsqueeze", 1, 2, 1, unsqueeze},
    {"Upsample", 1, 2, 1, upsample},
};

}  // namespace

const Operator* find_operator(std::string_view name) {
  const auto found = std::find_if(std::begin(kOperators), std::end(kOperators),
                                  [&](const Operator& candidate) { return candidate.name == name; });
  return found == std::end(kOperators) ? nullptr : found;
}

Recorder::Recorder(Builder& builder, const OnnxModel& model) : b(builder), model(model) {}

OnnxPlan Recorder::record(const std::map<std::string, Dims>& input_shapes) {
  check_graph();
  std::set<std::string_view> made;
  for (const OnnxValue& port : model.inputs)
    if (!made.insert(port.name).second) graph_fault("two inputs are called " + quoted(port.name));
  for (const OnnxNode& node : model.nodes) {
    node_ = &node;
    check_node(node);
    for (const std::string& output : node.outputs)
      if (!output.empty() && (model.initialisers.contains(output) || !made.insert(output).second))
        fault("output " + quoted(output) + " is given twice");
    for (const std::string& input : node.inputs)
      if (!input.empty()) readers_[input].push_back(&node);
  }
  node_ = nullptr;
  for (const OnnxValue& port : model.outputs) readers_[port.name].push_back(nullptr);

  for (const auto& [name, tensor] : model.initialisers) {
    Item item(row_major(tensor.info.dims));
    item.tensor = &tensor, item.initialiser = name;
    items_.emplace(name, std::move(item));
  }
  record_inputs(input_shapes);
  for (const OnnxNode& node : model.nodes) {
    if (done_.contains(&node)) continue;
    node_ = &node;
    node_reads_sizes_ = std::any_of(node.inputs.begin(), node.inputs.end(), [&](const std::string& name) {
      const Item* read = find(name);
      return read && read->of_sizes;
    });
    try {
      find_operator(node.op_type)->record(*this);
    } catch (const Error& e) {  // the builder's own shape checks do not know the node
      if (e.code != Code::INTERNAL) throw;
      fault(e.what());
    }
  }
  node_ = nullptr;
  record_outputs();
  return std::move(plan_);
}

void Recorder::check_graph() const {
  if (opset() < kOldestOpset || opset() > kNewestOpset)
    fail(Code::MODEL_ONNX_INVALID,
         model.label + ": the graph has opset " + std::to_string(opset()) + ", expected 9 to 18",
         "export the model again with opset 11 to 17", {{"file", model.label}, {"opset", std::to_string(opset())}});
  for (const auto& [name, tensor] : model.initialisers) {
    const size_t bytes = static_cast<size_t>(elements(tensor.info.dims)) * dtype_size(tensor.info.dtype);
    if (dtype_size(tensor.info.dtype) == 0 || tensor.info.dtype == DType::c64)
      graph_fault("tensor " + quoted(name) + " holds strings or numbers of an unknown type");
    if (bytes != tensor.bytes.size())
      graph_fault("tensor " + quoted(name) + " of shape " + ipa::text(tensor.info.dims) + " has " +
                  std::to_string(tensor.bytes.size()) + " bytes, expected " + std::to_string(bytes));
  }
}

void Recorder::check_node(const OnnxNode& node) {
  const char* const hint = "use a face detector or recogniser exported with standard operators (opset 9 to 18)";
  if (!node.domain.empty() && node.domain != "ai.onnx")
    fault("the operator is of the domain " + quoted(node.domain) + ", not a standard one", hint);
  const Operator* known = find_operator(node.op_type);
  if (!known) fault("the operator is not known here", hint);
  if (node.inputs.size() < known->min_inputs || node.inputs.size() > known->max_inputs)
    fault(std::to_string(node.inputs.size()) + " inputs, expected " + std::to_string(known->min_inputs) + " to " +
          std::to_string(known->max_inputs));
  if (node.outputs.empty() || node.outputs.size() > known->max_outputs)
    fault(std::to_string(node.outputs.size()) + " outputs, expected 1 to " + std::to_string(known->max_outputs));
}

void Recorder::record_inputs(const std::map<std::string, Dims>& input_shapes) {
  for (const auto& [name, dims] : input_shapes)
    if (std::none_of(model.inputs.begin(), model.inputs.end(),
                     [&](const OnnxValue& port) { return port.name == name; }))
      graph_fault("a size is given for input " + quoted(name) + ", which the graph does not have");
  for (const OnnxValue& port : model.inputs) {
    if (port.dtype != DType::f32 && port.dtype != DType::f16)
      graph_fault("input " + quoted(port.name) + " is " + dtype_text(port.dtype) + ", expected F32");
    const auto given = input_shapes.find(port.name);
    const Dims& dims = given != input_shapes.end() ? given->second : port.dims;
    if (given != input_shapes.end() && port.has_shape && port.dims.size() != dims.size())
      graph_fault("input " + quoted(port.name) + " has " + std::to_string(port.dims.size()) +
                  " dimensions in the file, but is given the shape " + ipa::text(dims));
    if ((!port.has_shape && given == input_shapes.end()) || elements(dims) == 0)
      graph_fault("input " + quoted(port.name) + " has no usable size: " + ipa::text(dims));
    const Value value = b.input(port.name, plan_shape(dims));
    input_ids_.insert(value.id);
    items_.insert_or_assign(port.name, Item(row_major(dims), value));
    plan_.inputs.push_back({port.name, dims});
  }
}

void Recorder::record_outputs() {
  std::set<std::string> names;
  OnnxNode node;  // what faults and derived constants of an output are called
  node.op_type = "Output";
  node_ = &node;
  for (const OnnxValue& port : model.outputs) {
    node.name = port.name;
    if (!names.insert(port.name).second) graph_fault("two outputs are called " + quoted(port.name));
    const Item* item = find(port.name);
    if (!item) graph_fault("output " + quoted(port.name) + " is made by no node");
    Item real = *item;
    node_reads_sizes_ = real.of_sizes;
    if (real.known() && real.whole_numbers()) {
      const std::vector<int64_t> numbers = integers(real, "output");
      real = known_reals(real.dims(), std::vector<float>(numbers.begin(), numbers.end()));
    }
    Value value = plain(real);
    // An output has memory of its own, never an input's.
    if (input_ids_.contains(real.value.id)) value = named([&] { return b.apply(Function::identity, value); });
    b.output(port.name, value);
    plan_.outputs.push_back({port.name, real.dims()});
  }
  if (model.outputs.empty()) graph_fault("the graph has no outputs");
  node_ = nullptr;
}

}  // namespace onnx

OnnxPlan record_onnx(Builder& b, const OnnxModel& model, const std::map<std::string, Dims>& input_shapes) {
  return onnx::Recorder(b, model).record(input_shapes);
}

TensorSource with_constants(TensorSource initialisers, std::map<std::string, ConstantTensor> constants) {
  for (const auto& [name, constant] : constants) initialisers.index[name] = {DType::f32, constant.dims};
  initialisers.read = [read = std::move(initialisers.read), constants = std::move(constants)](
                          const std::string& name, uint64_t first, std::span<std::byte> out) {
    const auto derived = constants.find(name);
    if (derived == constants.end()) return read(name, first, out);
    const std::span<const std::byte> bytes = std::as_bytes(std::span(derived->second.values));
    if (first > bytes.size() || out.size() > bytes.size() - first)
      fail(Code::INTERNAL,
           "weight " + quoted(name) + " has " + std::to_string(bytes.size()) + " bytes, " + std::to_string(out.size()) +
               " from byte " + std::to_string(first) + " on were asked for",
           "report this with the model that was loaded");
    std::copy_n(bytes.begin() + static_cast<ptrdiff_t>(first), out.size(), out.begin());
  };
  return initialisers;
}

}  // namespace ipa
