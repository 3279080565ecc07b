#pragma once
// A network read from an ONNX graph: plans per input size, one weight store.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/onnx_model.h"
#include "runtime/network.h"

namespace ipa {

struct OnnxArray {
  std::string name;
  Dims dims;  // row-major, as in the graph
  std::vector<float> data;
};

class OnnxNetwork {
 public:
  // Sizes that the graph leaves open are `free_size` (pixels) for recording at load.
  OnnxNetwork(std::shared_ptr<Device> device, OnnxModel model, const LoadOptions& options, int64_t free_size = 128);

  // Outputs in the graph's order.
  std::vector<OnnxArray> run(const std::vector<OnnxArray>& inputs, const StopFlag& stop);
  const OnnxModel& model() const { return *model_; }
  const Dims& input_dims() const { return input_dims_; }  // of the first input, -1 where free
  Network& network() { return *network_; }
  const Network& network() const { return *network_; }

 private:
  std::shared_ptr<const OnnxModel> model_;
  Dims input_dims_;
  std::unique_ptr<Network> network_;
  std::map<std::map<std::string, Dims>, std::vector<OnnxArray>> outputs_;  // names and dims, by input shapes
};

}  // namespace ipa
