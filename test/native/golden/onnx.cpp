// ONNX graphs, run as the engine runs them.
#include <algorithm>
#include <string>
#include <vector>

#include "golden/compare.h"
#include "golden/kinds.h"
#include "io/onnx.h"
#include "runtime/onnx_network.h"

namespace ipa::golden {

namespace {

using test::Golden;

void check_onnx(Level& level, const std::string& name, Verdict& verdict) {
  const Golden g(name);
  OnnxNetwork network(level.device, open_onnx(data_file(name, g.info["file"].string)), {});
  std::vector<OnnxArray> inputs;
  for (const OnnxValue& input : network.model().inputs) {
    const test::GoldenTensor& tensor = g["in/" + input.name];
    inputs.push_back({input.name, tensor.dims, tensor.f32()});
  }
  const std::vector<OnnxArray> outputs = network.run(inputs, StopFlag{});
  for (const auto& [key, tensor] : g.tensors) {
    if (!key.starts_with("out/")) continue;
    const auto output =
        std::find_if(outputs.begin(), outputs.end(), [&](const OnnxArray& o) { return "out/" + o.name == key; });
    if (output == outputs.end()) {
      verdict.fault(key + " was not computed");
      continue;
    }
    verdict.require(output->dims == tensor.dims, key + " is " + text(output->dims) + ", expected " + text(tensor.dims));
    const std::vector<float> want = tensor.f32();  // row-major as in the graph: no order to turn
    verdict.close(key, output->data, want, g.tolerance() * test::rms(want));
  }
}

}  // namespace

void add_onnx(Kinds& kinds) { kinds["onnx"] = {check_onnx}; }

}  // namespace ipa::golden
