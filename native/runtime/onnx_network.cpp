#include "runtime/onnx_network.h"

#include <algorithm>

#include "core/error.h"
#include "io/onnx.h"
#include "onnx/graph.h"

namespace ipa {

namespace {

// A plan's request holds shapes of rank 4 and numbers; graph inputs of any rank go through the numbers.
RecordRequest request_of(const std::map<std::string, Dims>& shapes) {
  RecordRequest request;
  for (const auto& [name, dims] : shapes)
    for (size_t i = 0; i < dims.size(); ++i)
      request.numbers[name + "." + std::to_string(i)] = static_cast<double>(dims[i]);
  return request;
}

std::map<std::string, Dims> shapes_of(const OnnxModel& model, const RecordRequest& request) {
  std::map<std::string, Dims> shapes;
  for (const OnnxValue& port : model.inputs) {
    Dims& dims = shapes[port.name];
    for (;;) {
      const auto it = request.numbers.find(port.name + "." + std::to_string(dims.size()));
      if (it == request.numbers.end()) break;
      dims.push_back(static_cast<int64_t>(it->second));
    }
  }
  return shapes;
}

std::map<std::string, Dims> nominal_shapes(const OnnxModel& model, int64_t free_size) {
  std::map<std::string, Dims> shapes;
  for (const OnnxValue& port : model.inputs) {
    Dims dims = port.dims;
    for (size_t i = 0; i < dims.size(); ++i)
      if (dims[i] < 0) dims[i] = i == 0 ? 1 : free_size;
    shapes[port.name] = dims;
  }
  return shapes;
}

}  // namespace

OnnxNetwork::OnnxNetwork(std::shared_ptr<Device> device, OnnxModel model, const LoadOptions& options, int64_t free_size)
    : model_(std::make_shared<const OnnxModel>(std::move(model))) {
  const auto& inputs = model_->inputs;
  if (inputs.empty())
    fail(Code::MODEL_ONNX_INVALID, model_->label + ": the graph has no input", "use a network that reads a picture",
         {{"path", model_->label}});
  input_dims_ = inputs[0].dims;
  const std::map<std::string, Dims> nominal = nominal_shapes(*model_, free_size);
  Builder b;
  OnnxPlan recorded = record_onnx(b, *model_, nominal);
  PlanKind graph{[shared = model_](Builder& builder, const RecordRequest& request) {
                   record_onnx(builder, *shared, shapes_of(*shared, request));
                 },
                 request_of(nominal)};
  network_ = std::make_unique<Network>(std::move(device), std::map<std::string, PlanKind>{{"graph", std::move(graph)}},
                                       with_constants(onnx_weights(*model_), std::move(recorded.constants)), options);
}

std::vector<OnnxArray> OnnxNetwork::run(const std::vector<OnnxArray>& inputs, const StopFlag& stop) {
  std::map<std::string, Dims> shapes;
  for (const OnnxArray& input : inputs) shapes[input.name] = input.dims;
  auto known = outputs_.find(shapes);
  if (known == outputs_.end()) {
    Builder b;
    std::vector<OnnxArray> made;
    for (const OnnxBinding& output : record_onnx(b, *model_, shapes).outputs)
      made.push_back({output.name, output.dims, {}});
    known = outputs_.emplace(shapes, std::move(made)).first;
  }
  Prepared& prepared = network_->prepare("graph", request_of(shapes));

  for (const auto& [name, id] : prepared.plan().inputs) {
    const auto given = std::find_if(inputs.begin(), inputs.end(), [&](const OnnxArray& i) { return i.name == name; });
    if (given == inputs.end())
      fail(Code::INTERNAL, "the graph's input " + quoted(name) + " was not given", "report this");
    prepared.set(name, given->data);
  }
  network_->count("graph");
  prepared.run(stop);
  std::vector<OnnxArray> outputs = known->second;
  for (OnnxArray& output : outputs) output.data = prepared.get(output.name).data;
  return outputs;
}

}  // namespace ipa
