#pragma once
// ONNX graphs written in a line per node, and their recording with the weights at hand.
#include <cmath>
#include <initializer_list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/onnx_model.h"
#include "io/onnx.h"
#include "onnx/graph.h"
#include "plan/builder.h"
#include "ranges.h"
#include "run_plan.h"

namespace ipa::test {

struct Recorded {
  OnnxPlan onnx;
  Plan plan;
  Tensors weights;
};

inline Recorded record(const OnnxModel& model, const std::map<std::string, Dims>& shapes = {}) {
  Recorded r;
  Builder b;
  r.onnx = record_onnx(b, model, shapes);
  r.plan = b.finish();
  const TensorSource source = with_constants(onnx_weights(model), r.onnx.constants);
  expect_ranges(source);
  for (const WeightWant& want : r.plan.weights) {
    const TensorInfo& info = source.index.at(want.path);
    if (info.dims != want.dims) throw std::runtime_error(want.path + " is wanted in another shape");
    std::vector<std::byte> bytes(static_cast<size_t>(product(info.dims)) * dtype_size(info.dtype));
    source.read(want.path, 0, bytes);
    std::vector<float>& numbers = r.weights[want.path];
    numbers.resize(static_cast<size_t>(product(info.dims)));
    to_f32(info.dtype, bytes.data(), numbers.data(), numbers.size());
  }
  return r;
}

// Numbers without a pattern that an error of order would keep.
inline std::vector<float> signal(int64_t count) {
  std::vector<float> numbers;
  for (int64_t i = 0; i < count; ++i)
    numbers.push_back(std::sin(1.7f * static_cast<float>(i)) + 0.01f * static_cast<float>(i % 13));
  return numbers;
}

using Ints = std::vector<int64_t>;
using Floats = std::vector<float>;
using AttributeValue = std::variant<int, float, const char*, Ints, Floats>;
using Attributes = std::vector<std::pair<const char*, AttributeValue>>;

// OnnxModel graph = Graph(13).input("x", {1, 4}).node("Relu", {"x"}, {"y"}).output("y");
class Graph {
 public:
  explicit Graph(int64_t opset) {
    model_.label = "graph.onnx";
    model_.opset = opset;
  }
  Graph& input(const std::string& name, const Dims& dims, DType dtype = DType::f32) {
    model_.inputs.push_back({name, dtype, true, dims, {}});
    return *this;
  }
  Graph& output(const std::string& name) {
    model_.outputs.push_back({name, DType::f32, false, {}, {}});
    return *this;
  }
  Graph& reals(const std::string& name, const Dims& dims, const Floats& numbers) {
    return tensor(name, DType::f32, dims, std::as_bytes(std::span(numbers)));
  }
  Graph& integers(const std::string& name, const Dims& dims, const Ints& numbers) {
    return tensor(name, DType::i64, dims, std::as_bytes(std::span(numbers)));
  }
  Graph& integers(const std::string& name, const Ints& numbers) {
    return integers(name, {static_cast<int64_t>(numbers.size())}, numbers);
  }
  Graph& tensor(const std::string& name, DType dtype, const Dims& dims, std::span<const std::byte> bytes) {
    model_.storage.push_back(std::make_shared<const std::vector<std::byte>>(bytes.begin(), bytes.end()));
    model_.initialisers[name] = {{dtype, dims}, *model_.storage.back()};
    return *this;
  }
  Graph& node(const std::string& op, const std::vector<std::string>& inputs, const std::vector<std::string>& outputs,
              const Attributes& attributes = {}, const std::string& domain = "") {
    OnnxNode node{op, domain, op + std::to_string(model_.nodes.size()), inputs, outputs, {}};
    for (const auto& [name, value] : attributes) {
      OnnxAttribute a;
      a.name = name;
      using Kind = OnnxAttribute::Kind;
      if (const int* number = std::get_if<int>(&value)) a.kind = Kind::integer, a.integer = *number;
      if (const float* number = std::get_if<float>(&value)) a.kind = Kind::real, a.real = *number;
      if (const char* const* word = std::get_if<const char*>(&value)) a.kind = Kind::text, a.text = *word;
      if (const Ints* list = std::get_if<Ints>(&value)) a.kind = Kind::integers, a.integers = *list;
      if (const Floats* list = std::get_if<Floats>(&value)) a.kind = Kind::reals, a.reals = *list;
      node.attributes.push_back(std::move(a));
    }
    model_.nodes.push_back(std::move(node));
    return *this;
  }
  operator OnnxModel() const { return model_; }  // NOLINT: implicit on purpose

 private:
  OnnxModel model_;
};

}  // namespace ipa::test
