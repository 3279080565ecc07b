// ONNX graphs recorded as plans: the goldens unfolded, the bundled face networks, and the same numbers whatever
// the order in memory. Faults are in faults.test.cpp.
#include "onnx/graph.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "golden.h"
#include "io/onnx.h"
#include "onnx/graphs.h"
#include "run_plan.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

std::string models_folder() {
  if (const char* folder = std::getenv("IPA_MODELS")) return folder;
#ifdef IPA_MODELS_DIR
  return IPA_MODELS_DIR;
#else
  throw std::runtime_error("set IPA_MODELS to the folder models");
#endif
}

template <typename O>
int count_ops(const Plan& plan) {
  return static_cast<int>(std::count_if(plan.nodes.begin(), plan.nodes.end(),
                                        [](const Node& node) { return std::holds_alternative<O>(node.op); }));
}

TEST("onnx: plans of the goldens agree with the reference without being folded") {
  for (const std::string& name : golden_names("onnx", "")) {
    const Golden g(name);
    const OnnxModel model = open_onnx((golden_folder() / (name + ".onnx")).string());
    std::map<std::string, Dims> shapes;
    Tensors inputs;
    for (const auto& [key, tensor] : g.tensors)
      if (key.starts_with("in/")) shapes[key.substr(3)] = tensor.dims, inputs[key.substr(3)] = tensor.f32();
    Recorded recorded = record(model, shapes);
    const RunResult result = run_plan(recorded.plan, recorded.weights, inputs);
    for (const OnnxBinding& output : recorded.onnx.outputs) {
      const std::string key = "out/" + output.name;
      EXPECT_CLOSE(result.outputs.at(output.name), g[key].f32(), g.tolerance() * g.rms(key), name + " " + key);
    }
  }
}

TEST("onnx: the bundled detector and recogniser keep their maps NHWC") {
  const OnnxModel detector = open_onnx(models_folder() + "/sketch/face/detection.onnx");
  for (int64_t size : {128, 192}) {
    const Recorded r = record(detector, {{"input.1", {1, 3, size, size}}});
    EXPECT_EQ(r.onnx.outputs.size(), size_t{9});
    EXPECT_EQ(text(r.onnx.outputs[0].dims), text(Dims{2 * (size / 8) * (size / 8), 1}));
    EXPECT_EQ(text(r.onnx.outputs[8].dims), text(Dims{2 * (size / 32) * (size / 32), 10}));
    EXPECT_EQ(count_ops<Rearrange>(r.plan), 1);  // of the input; the transposes of the heads cost nothing
    EXPECT_EQ(count_ops<Resize>(r.plan), 0);     // doubling is an upsample
  }
  const OnnxModel recogniser = open_onnx(models_folder() + "/sketch/face/recognition.onnx");
  const Recorded r = record(recogniser, {{"input.1", {2, 3, 112, 112}}});
  EXPECT_EQ(text(r.onnx.outputs.at(0).dims), text(Dims{2, 512}));
  EXPECT_EQ(count_ops<Rearrange>(r.plan), 1);
  EXPECT_EQ(count_ops<MatMul>(r.plan), 0);
}

// Adds nodes that read `x` [2, 3, 4, 6] and make `y`.
using Part = void (*)(Graph&, const std::string& x);

Tensors run_part(Part part, int64_t opset, bool behind_conv, int* copies = nullptr) {
  Graph graph(opset);
  graph.input("x", {2, 3, 4, 6}).output("y");
  if (behind_conv) graph.reals("eye", {3, 3, 1, 1}, {1, 0, 0, 0, 1, 0, 0, 0, 1}).node("Conv", {"x", "eye"}, {"map"});
  part(graph, behind_conv ? "map" : "x");
  const Recorded r = record(graph);
  if (copies) *copies = count_ops<Rearrange>(r.plan);
  return run_plan(fold(r.plan), r.weights, {{"x", signal(2 * 3 * 4 * 6)}}).outputs;
}

TEST("onnx: the same numbers from a map that lies NCHW and one that lies NHWC") {
  const std::pair<const char*, Part> parts[] = {
      {"flatten, gemm",
       [](Graph& g, const std::string& x) {
         g.reals("w", {5, 72}, signal(360))
             .node("Flatten", {x}, {"f"})
             .node("Gemm", {"f", "w"}, {"y"}, {{"transB", 1}});
       }},
      {"tokens",
       [](Graph& g, const std::string& x) {
         g.integers("s", {2, 3, -1}).node("Reshape", {x, "s"}, {"r"});
         g.node("Transpose", {"r"}, {"t"}, {{"perm", Ints{0, 2, 1}}}).node("MatMul", {"t", "r"}, {"y"});
       }},
      {"channel shuffle",
       [](Graph& g, const std::string& x) {
         g.integers("a", {2, 3, 2, 2, 6}).integers("b", {2, 6, 2, 6}).node("Reshape", {x, "a"}, {"r"});
         g.node("Transpose", {"r"}, {"t"}, {{"perm", Ints{0, 2, 1, 3, 4}}}).node("Reshape", {"t", "b"}, {"u"});
         g.node("MaxPool", {"u"}, {"y"}, {{"kernel_shape", Ints{2, 2}}});
       }},
      {"slice, split, concat",
       [](Graph& g, const std::string& x) {
         g.integers("s", {3, 1}).integers("e", {-9, 3}).integers("a", {3, 1}).integers("p", {-2, 1});
         g.node("Slice", {x, "s", "e", "a", "p"}, {"c"}).node("Split", {"c"}, {"d", "f"}, {{"axis", 1}});
         g.node("Tanh", {"f"}, {"h"}).node("Concat", {"h", "c", "d"}, {"y"}, {{"axis", 1}});
       }},
      {"broadcasting",
       [](Graph& g, const std::string& x) {
         g.reals("k", {3, 1, 6}, signal(18))
             .node("Mul", {"k", x}, {"a"})
             .node("ReduceMean", {"a"}, {"m"}, {{"axes", Ints{1, 2}}});
         g.node("Sub", {x, "m"}, {"b"}).node("PRelu", {"b", "k"}, {"c"}).node("Softmax", {"c"}, {"y"}, {{"axis", 1}});
       }},
      {"pad, gather, means",
       [](Graph& g, const std::string& x) {
         g.integers("p", {0, 1, 0, 2, 1, 0, 1, 0}).integers("i", {2, 2}, {0, 4, 4, 1}).node("Pad", {x, "p"}, {"a"});
         g.node("Gather", {"a", "i"}, {"b"}, {{"axis", 2}})
             .node("ReduceL2", {"b"}, {"y"}, {{"axes", Ints{1, 4}}, {"keepdims", 0}});
       }},
  };
  for (const auto& [name, part] : parts) {
    const std::vector<float> plain = run_part(part, 13, false).at("y");
    EXPECT(plain.size() > 1);
    EXPECT_CLOSE(run_part(part, 13, true).at("y"), plain, 2e-5, name);  // sums of at most 72 numbers, f32
  }
}

TEST("onnx: what is cheap in NHWC stays a view") {
  int copies = 0;
  // The one copy brings the input to NHWC.
  run_part(
      [](Graph& g, const std::string& x) {
        g.reals("w", {5, 72}, signal(360)).node("Flatten", {x}, {"f"}).node("Gemm", {"f", "w"}, {"y"}, {{"transB", 1}});
      },
      13, true, &copies);
  EXPECT_EQ(copies, 1);
  run_part(
      [](Graph& g, const std::string& x) {
        g.integers("s", {2, -1, 3})
            .node("Relu", {x}, {"r"})
            .node("Transpose", {"r"}, {"t"}, {{"perm", Ints{0, 2, 3, 1}}});
        g.node("Reshape", {"t", "s"}, {"y"});
      },
      13, true, &copies);
  EXPECT_EQ(copies, 1);
  run_part(
      [](Graph& g, const std::string& x) {
        g.node("GlobalAveragePool", {x}, {"p"}).node("Add", {x, "p"}, {"a"}).node("Sigmoid", {"a"}, {"b"});
        g.node("GlobalAveragePool", {"b"}, {"c"}).node("Flatten", {"c"}, {"y"});
      },
      13, true, &copies);
  EXPECT_EQ(copies, 1);
}

TEST("onnx: batch normalisation folds into the layer whose only reader it is") {
  const auto graph = [](bool shared) {
    Graph g(13);
    g.input("x", {1, 2, 3, 3})
        .reals("w", {2, 2, 3, 3}, signal(36))
        .reals("one", {2}, {1.5f, 0.5f})
        .reals("b", {2}, {0.25f, -1});
    g.node("Conv", {"x", "w"}, {"c"}).node("BatchNormalization", {"c", "one", "b", "b", "one"}, {"y"}).output("y");
    if (shared) g.output("c");
    return record(g);
  };
  const Recorded folded = graph(false), kept = graph(true);
  EXPECT_EQ(count_ops<Affine>(folded.plan), 0);
  EXPECT_EQ(count_ops<Affine>(kept.plan), 1);
  const Tensors input = {{"x", signal(18)}};
  EXPECT_CLOSE(run_plan(folded.plan, folded.weights, input).outputs.at("y"),
               run_plan(kept.plan, kept.weights, input).outputs.at("y"), 1e-5, "folded");
}

TEST("onnx: constants that differ with the input's size have names of their own") {
  const auto constants = [](int64_t width) {
    Graph g(13);
    g.input("x", {1, width}).reals("half", {}, {0.5f}).reals("w", {2, 1}, {1, 2}).node("Shape", {"x"}, {"s"});
    g.node("Cast", {"s"}, {"f"}, {{"to", 1}}).node("ReduceMean", {"x"}, {"m"}).node("Mul", {"f", "half"}, {"h"});
    g.node("Add", {"h", "m"}, {"y"}).node("Gemm", {"m", "w"}, {"z"}, {{"transB", 1}}).output("y").output("z");
    return record(g).onnx.constants;
  };
  const auto small = constants(3), large = constants(5);
  EXPECT_EQ(small.size(), size_t{1});
  EXPECT(small.begin()->first != large.begin()->first);
  EXPECT_CLOSE(small.begin()->second.values, Floats({0.5f, 1.5f}), 0, "half of [1, 3]");
}

TEST("onnx: outputs that are constants, integers or inputs") {
  Graph g(13);
  g.input("x", {2, 3}).reals("k", {2}, {4, 5}).node("Shape", {"x"}, {"s"}).node("Identity", {"x"}, {"same"});
  g.node("Relu", {"x"}, {"r"}).output("s").output("same").output("k").output("r").output("x");
  const Recorded r = record(g);
  const Tensors out = run_plan(fold(r.plan), r.weights, {{"x", {-1, 2, -3, 4, -5, 6}}}).outputs;
  EXPECT_CLOSE(out.at("s"), Floats({2, 3}), 0, "sizes");
  EXPECT_CLOSE(out.at("k"), Floats({4, 5}), 0, "initialiser");
  EXPECT_CLOSE(out.at("same"), Floats({-1, 2, -3, 4, -5, 6}), 0, "input by another name");
  EXPECT_CLOSE(out.at("x"), Floats({-1, 2, -3, 4, -5, 6}), 0, "input");
  EXPECT_CLOSE(out.at("r"), Floats({0, 2, 0, 4, 0, 6}), 0, "relu");
}

TEST("onnx: half-precision weights and a weight with two readers") {
  const uint16_t halves[] = {0x3c00, 0xc000, 0x3800, 0x4200};  // 1, -2, 0.5, 3
  Graph g(13);
  g.input("x", {1, 2})
      .tensor("w", DType::f16, {2, 2}, std::as_bytes(std::span(halves)))
      .output("y")
      .output("z")
      .output("p");
  g.node("MatMul", {"x", "w"}, {"y"}).node("Gemm", {"x", "w"}, {"z"}, {{"transB", 1}}).node("Add", {"x", "w"}, {"p"});
  const Recorded r = record(g);
  const Tensors out = run_plan(r.plan, r.weights, {{"x", {1, 10}}}).outputs;
  EXPECT_CLOSE(out.at("y"), Floats({6, 28}), 1e-6, "x w");
  EXPECT_CLOSE(out.at("z"), Floats({-19, 30.5f}), 1e-6, "x w^T");
  EXPECT_CLOSE(out.at("p"), Floats({2, 8, 1.5f, 13}), 1e-6, "x + w");
}

}  // namespace
