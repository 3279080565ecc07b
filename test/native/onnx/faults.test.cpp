// ONNX graphs that must be refused: by operator, node, opset and file, and before anything runs.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "onnx/graph.h"
#include "onnx/graphs.h"
#include "run_plan.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

// One node over x [1, 4, 6, 6], v [3], and constants w, vector, sizes ...; every row must be refused.
struct FaultRow {
  const char* op;
  std::vector<std::string> inputs;
  Attributes attributes = {};
  int64_t opset = 13;
  const char* domain = "";
};

const std::vector<FaultRow>& fault_rows() {
  static const std::vector<FaultRow> rows = {
      // O-03: what is no standard operator of the list
      {"Loop", {"x"}},
      {"If", {"x"}},
      {"NonMaxSuppression", {"x"}},
      {"FusedConv", {"x", "w"}, {}, 13, "com.microsoft"},
      {"Conv", {"x", "w"}, {}, 13, "ai.onnx.ml"},
      {"Relu", {"x"}, {}, 8},
      {"Relu", {"x"}, {}, 19},
      {"Upsample", {"x", "scales"}, {}, 10},
      {"Resize", {"x", "scales"}, {}, 9},
      {"Dropout", {"x", "", "truth"}},
      {"BatchNormalization", {"x", "c", "c", "c", "c"}, {{"training_mode", 1}}, 14},
      // O-04: shapes and references
      {"Relu", {"nowhere"}},
      {"Relu", {"y"}},
      {"Relu", {""}},
      {"Relu", {}},
      {"Relu", {"x", "x"}},
      {"Relu", {"truth"}},
      {"Conv", {"x", "x"}},
      {"Conv", {"x", "vector"}},
      {"Conv", {"v", "w"}},
      {"Conv", {"x", "w", "c"}},
      {"Conv", {"x", "truth"}},
      {"Conv", {"x", "wide"}},
      {"Add", {"x", "vector"}},
      {"Add", {"x", "none"}},
      {"Add", {"x", "truth"}},
      {"BatchNormalization", {"x", "vector", "c", "c", "c"}},
      {"BatchNormalization", {"x", "x", "c", "c", "c"}},
      {"BatchNormalization", {"v", "c", "c", "c", "c"}},
      {"PRelu", {"x", "vector"}},
      {"PRelu", {"v", "x"}},
      {"Gemm", {"x", "square"}},
      {"Gemm", {"square", "row"}},
      {"Gemm", {"square", "square", "vector"}},
      {"MatMul", {"x", "square"}},
      {"MatMul", {"v", "square"}},
      {"MatMul", {"scalar", "square"}},
      {"Reshape", {"x", "two"}},
      {"Reshape", {"x", "twoopen"}},
      {"Reshape", {"x", "huge"}},
      {"Reshape", {"x", "negative"}},
      {"Reshape", {"v", "copies"}},
      {"Reshape", {"x", "v"}},
      {"Reshape", {"x", "scales"}},
      {"ConstantOfShape", {"huge"}},
      {"ConstantOfShape", {"negative"}},
      {"ConstantOfShape", {"v"}},
      {"Concat", {"x", "v"}, {{"axis", 0}}},
      {"Concat", {"x", "w"}, {{"axis", 1}}},
      {"Concat", {"x", "x"}},
      {"Resize", {"x", "", "big"}},
      {"Resize", {"x", "", "scales3"}},
      {"Resize", {"x", "", "batch"}},
      {"Resize", {"x", "", "below"}},
      {"Resize", {"x", "", "", "negative"}},
      {"Resize", {"x", ""}},
      {"Resize", {"v", "", "scales"}},
      {"Squeeze", {"x", "two"}},
      {"Unsqueeze", {"x"}},
      {"Gather", {"x", "huge"}},
      {"Gather", {"x", "v"}},
      {"Slice", {"x", "two"}},
      {"Slice", {"x", "two", "two", "two", "zero"}},
      {"Slice", {"x", "two", "twoopen", "huge"}},
      {"Slice", {"x", "zero", "zero", "zero"}},
      {"Split", {"x", "two"}, {}, 13},
      {"Split", {"v"}, {{"split", Ints{1}}}, 11},
      {"Pad", {"x", "two"}},
      {"Pad", {"v", "two", "c"}},
      {"Cast", {"x"}, {{"to", 7}}},
      {"Cast", {"x"}},
      {"Clip", {"x", "c"}},
      {"Clip", {"x", "v"}},
      {"GlobalAveragePool", {"v"}},
      {"MaxPool", {"v"}, {{"kernel_shape", Ints{2, 2}}}},
      {"Softmax", {"scalar"}},
      {"Constant", {}},
      {"Floor", {"truth"}},
      {"Div", {"two", "zeros"}},
      {"Mul", {"huge", "huge"}},
      {"Mul", {"two", "c"}},
      {"Pow", {"two", "huge"}},
      {"ReduceMean", {"x", "huge"}, {}, 18},
      {"Shape", {"x", "x"}},
      // O-05: attributes
      {"Conv", {"x", "w"}, {{"strides", Ints{0, 1}}}},
      {"Conv", {"x", "w"}, {{"strides", Ints{1}}}},
      {"Conv", {"x", "w"}, {{"strides", 1}}},
      {"Conv", {"x", "w"}, {{"dilations", Ints{1ll << 31, 1}}}},
      {"Conv", {"x", "w"}, {{"dilations", Ints{3, 3}}}},
      {"Conv", {"x", "w"}, {{"dilations", Ints{0, 1}}}},
      {"Conv", {"x", "w"}, {{"pads", Ints{-1, 0, 0, 0}}}},
      {"Conv", {"x", "w"}, {{"pads", Ints{1, 1}}}},
      {"Conv", {"x", "w"}, {{"pads", Ints{1 << 20, 1 << 20, 1 << 20, 1 << 20}}}},
      {"Conv", {"x", "w"}, {{"pads", Ints{INT64_MAX, 0, 0, 0}}}},
      {"Conv", {"x", "w"}, {{"group", 3}}},
      {"Conv", {"x", "w"}, {{"group", 0}}},
      {"Conv", {"x", "w"}, {{"group", 2}}},
      {"Conv", {"x", "w"}, {{"kernel_shape", Ints{5, 5}}}},
      {"Conv", {"x", "w"}, {{"auto_pad", "SAME"}}},
      {"Conv", {"x", "w"}, {{"auto_pad", 1}}},
      {"MaxPool", {"x"}},
      {"MaxPool", {"x"}, {{"kernel_shape", Ints{7, 7}}}},
      {"MaxPool", {"x"}, {{"kernel_shape", Ints{2, 0}}}},
      {"MaxPool", {"x"}, {{"kernel_shape", Ints{2, 2}}, {"pads", Ints{2, 0, 0, 0}}}},
      {"MaxPool", {"x"}, {{"kernel_shape", Ints{2, 2}}, {"dilations", Ints{2, 2}}}},
      {"AveragePool", {"x"}, {{"kernel_shape", Ints{2, 2}}, {"ceil_mode", 2}}},
      {"AveragePool", {"x"}, {{"kernel_shape", Ints{2, 2}}, {"count_include_pad", -1}}},
      {"Softmax", {"x"}, {{"axis", 99}}},
      {"Softmax", {"x"}, {{"axis", -5}}},
      {"Softmax", {"x"}, {{"axis", 1.0f}}},
      {"Concat", {"x", "x"}, {{"axis", 4}}},
      {"Flatten", {"x"}, {{"axis", 5}}},
      {"Transpose", {"x"}, {{"perm", Ints{0, 1, 2}}}},
      {"Transpose", {"x"}, {{"perm", Ints{0, 1, 2, 2}}}},
      {"Transpose", {"x"}, {{"perm", Ints{0, 1, 2, 4}}}},
      {"ReduceMean", {"x"}, {{"axes", Ints{1, 1}}}},
      {"ReduceMean", {"x"}, {{"axes", Ints{4}}}},
      {"Gather", {"x", "negative"}, {{"axis", 1}}},
      {"Unsqueeze", {"x"}, {{"axes", Ints{9}}}, 11},
      {"Squeeze", {"x"}, {{"axes", Ints{1}}}, 11},
      {"Resize", {"x", "", "scales"}, {{"mode", "cubic"}}},
      {"Resize", {"x", "", "scales"}, {{"nearest_mode", "nearest"}}},
      {"Resize", {"x", "", "scales"}, {{"coordinate_transformation_mode", "tf_crop_and_resize"}}},
      {"Resize", {"x", "", "scales"}, {{"antialias", 1}}, 18},
      {"Resize", {"x", "", "scales"}, {{"axes", Ints{0, 1, 2, 7}}}, 18},
      {"Pad", {"x", "eightnegative"}},
      {"Pad", {"x", "eight"}, {{"mode", "reflect"}}},
      {"Slice", {"x"}, {{"starts", Ints{0}}, {"ends", Ints{1, 2}}}, 9},
      {"Cast", {"x"}, {{"to", 8}}},
      {"Gather", {"x", "zero"}, {{"axis", 4}}}};
  return rows;
}

OnnxModel fault_graph(const FaultRow& row) {
  Graph g(row.opset);
  g.input("x", {1, 4, 6, 6}).input("v", {3}).output("y");
  g.reals("w", {2, 4, 3, 3}, signal(72))
      .reals("wide", {2, 5, 3, 3}, signal(90))
      .reals("c", {4}, {1, 1, 1, 1})
      .reals("vector", {5}, signal(5));
  g.reals("square", {4, 4}, signal(16)).reals("row", {1, 4}, signal(4)).reals("scalar", {}, {1}).reals("none", {0}, {});
  g.reals("scales", {4}, {1, 1, 2, 2})
      .reals("scales3", {3}, {1, 2, 2})
      .reals("big", {4}, {1, 1, 1e6f, 1e6f})
      .reals("batch", {4}, {2, 1, 2, 2})
      .reals("below", {4}, {1, 1, -1, 0.1f});
  g.integers("two", {2, 3})
      .integers("twoopen", {-1, -1})
      .integers("huge", {1ll << 40, 1ll << 40})
      .integers("negative", {1, 4, -7, 6})
      .integers("copies", {0, 0});
  g.integers("zero", {0})
      .integers("zeros", {0, 0})
      .integers("truth", {1})
      .integers("eight", {0, 0, 1, 1, 0, 0, 1, 1})
      .integers("eightnegative", {0, 0, -1, 0, 0, 0, 0, 0});
  return g.node(row.op, row.inputs, {"y"}, row.attributes, row.domain);
}

TEST("onnx: every faulty node is refused before anything runs, by name") {
  int row_number = 0;
  for (const FaultRow& row : fault_rows()) {
    const std::string what = "row " + std::to_string(row_number++) + ", " + row.op;
    try {
      Builder b;
      record_onnx(b, fault_graph(row), {});
      failed(__FILE__, __LINE__, what + " was recorded");
    } catch (const Error& e) {
      const std::string message = e.what();
      const bool names =
          message.find("graph.onnx") != std::string::npos &&
          message.find(std::to_string(row.opset)) != std::string::npos &&
          (row.opset < 9 || row.opset > 18 ||
           (message.find(row.op) != std::string::npos && message.find(row.op + std::string("0")) != std::string::npos));
      if (e.code != Code::MODEL_ONNX_INVALID || !names || e.hint.empty())
        failed(__FILE__, __LINE__, what + ": " + code_text(e.code) + " " + message);
    }
  }
}

TEST("onnx: faults of the whole graph") {
  const auto refused = [](const OnnxModel& model, const std::map<std::string, Dims>& shapes = {}) {
    Builder b;
    EXPECT_CODE(record_onnx(b, model, shapes), Code::MODEL_ONNX_INVALID);
  };
  const auto relu = [](const Dims& dims) { return Graph(13).input("x", dims).node("Relu", {"x"}, {"y"}).output("y"); };
  refused(relu({1, -1}));
  refused(relu({1, 0}));
  refused(relu({1ll << 20, 1ll << 20}));
  refused(relu({1, 2}), {{"x", {1, 2, 3}}});
  refused(relu({1, 2}), {{"x", {1, -2}}});
  refused(relu({1, 2}), {{"z", {1, 2}}});
  refused(relu({1, 2}).output("y"));
  refused(relu({1, 2}).output("nowhere"));
  refused(relu({1, 2}).node("Tanh", {"x"}, {"y"}));
  refused(relu({1, 2}).node("Tanh", {"x"}, {"x"}));
  refused(relu({1, 2}).node("Tanh", {"b"}, {"a"}).node("Tanh", {"a"}, {"b"}));
  refused(relu({1, 2}).node("Mystery", {"x"}, {"unused"}));
  refused(relu({1, 2}).input("x", {1, 2}));
  refused(relu({1, 2}).input("ids", {1, 2}, DType::i64));
  refused(Graph(13).input("x", {1}).node("Relu", {"x"}, {"y"}));
  const float one[] = {1};
  refused(relu({1, 2}).tensor("short", DType::f32, {2}, std::as_bytes(std::span(one))));
  refused(relu({1, 2}).tensor("words", DType::unknown, {1}, std::as_bytes(std::span(one))));
  refused(relu({1, 2}).tensor("wrong", DType::f32, {-1}, std::as_bytes(std::span(one))));
  // Every doubling is small; forty of them are not.
  Graph doubling(13);
  doubling.input("x0", {1, 1}).output("x40");
  for (int i = 0; i < 40; ++i)
    doubling.node("Concat", {"x" + std::to_string(i), "x" + std::to_string(i)}, {"x" + std::to_string(i + 1)},
                  {{"axis", 1}});
  refused(doubling);
  Graph steps(13);
  steps.input("x", {1, 1}).reals("k0", {1, 1}, {1}).output("y");
  for (int i = 0; i < 40; ++i)
    steps.node("Concat", {"k" + std::to_string(i), "k" + std::to_string(i)}, {"k" + std::to_string(i + 1)},
               {{"axis", 0}});
  refused(steps.node("Add", {"x", "k40"}, {"y"}));
}

// A stream of numbers that need not be good.
struct Dice {
  uint64_t state;
  int64_t roll(int64_t sides) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<int64_t>((state >> 33) % static_cast<uint64_t>(sides));
  }
};

TEST("onnx: random small graphs are recorded and run, or refused") {
  static const char* const kOps[] = {
      "Relu",     "Conv",    "Add",       "Mul",      "Transpose", "Reshape", "Flatten",           "Concat",
      "Slice",    "Split",   "Softmax",   "MatMul",   "Gemm",      "MaxPool", "AveragePool",       "ReduceMean",
      "ReduceL2", "Squeeze", "Unsqueeze", "Gather",   "Pad",       "Resize",  "GlobalAveragePool", "BatchNormalization",
      "PRelu",    "Shape",   "Cast",      "Identity", "Sub"};
  int recorded = 0, refused = 0;
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    Dice dice{seed};
    Graph g(13);
    const Dims dims = {1 + dice.roll(2), 1 + dice.roll(3), 1 + dice.roll(5), 1 + dice.roll(5)};
    g.input("t0", dims)
        .reals("w", {2, dims[1], 2, 1}, signal(4 * dims[1]))
        .reals("s", {dims[1]}, Floats(static_cast<size_t>(dims[1]), 0.5f));
    g.reals("m", {dims[3], 3}, signal(3 * dims[3]))
        .reals("k", {dims[1], 1, 1}, signal(dims[1]))
        .reals("sc", {4}, {1, 1, 2, 1.5f});
    g.integers("i", {dice.roll(3) - 1, dice.roll(4)})
        .integers("f", {dims[0], -1, dims[3]})
        .integers("a", {dice.roll(4)})
        .integers("p", {0, 1, 0, 0, 0, 0, dice.roll(3), 1});
    const int64_t count = 1 + dice.roll(5);
    for (int64_t i = 0; i < count; ++i) {
      const auto any = [&] { return "t" + std::to_string(dice.roll(4) ? i : dice.roll(i + 1)); };
      const std::string op = kOps[dice.roll(std::size(kOps))], out = "t" + std::to_string(i + 1);
      const int axis = static_cast<int>(dice.roll(5)) - 1;
      std::vector<std::string> inputs = {any()};
      Attributes attributes;
      if (op == "Conv") inputs.push_back("w"), attributes = {{"pads", Ints{dice.roll(2), 0, 1, dice.roll(3)}}};
      if (op == "Add" || op == "Mul" || op == "Sub") inputs.push_back(dice.roll(2) ? any() : "k");
      if (op == "PRelu") inputs.push_back("k");
      if (op == "Concat") inputs.push_back(any()), attributes = {{"axis", axis}};
      if (op == "MatMul" || op == "Gemm") inputs.push_back(dice.roll(2) ? "m" : any());
      if (op == "Reshape") inputs.push_back("f");
      if (op == "Transpose") attributes = {{"perm", dice.roll(2) ? Ints{0, 2, 3, 1} : Ints{0, 3, 1, 2}}};
      if (op == "Flatten" || op == "Softmax" || op == "Split") attributes = {{"axis", axis}};
      if (op == "Slice") inputs.insert(inputs.end(), {"a", "f1", "a"});
      if (op == "Gather") inputs.push_back("i"), attributes = {{"axis", axis}};
      if (op == "MaxPool" || op == "AveragePool")
        attributes = {{"kernel_shape", Ints{1 + dice.roll(2), 2}}, {"ceil_mode", static_cast<int>(dice.roll(2))}};
      if (op == "ReduceMean" || op == "ReduceL2")
        attributes = {{"axes", Ints{axis}}, {"keepdims", static_cast<int>(dice.roll(2))}};
      if (op == "Squeeze" || op == "Unsqueeze") inputs.push_back("a");
      if (op == "Pad") inputs.push_back("p");
      if (op == "Resize") inputs.insert(inputs.end(), {"", "sc"});
      if (op == "BatchNormalization") inputs.insert(inputs.end(), {"s", "s", "s", "s"});
      if (op == "Cast") attributes = {{"to", 1}};
      std::vector<std::string> outputs = {out};
      if (op == "Split") outputs.push_back(out + "b");
      g.node(op, inputs, outputs, attributes);
    }
    g.integers("f1", {5})
        .output("t" + std::to_string(count))
        .output("t" + std::to_string(dice.roll(count + 1)) + (dice.roll(9) ? "" : "b"));
    try {
      const Recorded r = record(g);
      ++recorded;
      const Tensors input = {{"t0", signal(product(dims))}};
      const Tensors plain = run_plan(r.plan, r.weights, input).outputs;
      const Tensors folded = run_plan(fold(r.plan), r.weights, input).outputs;
      for (const OnnxBinding& output : r.onnx.outputs) {
        EXPECT_EQ(static_cast<int64_t>(plain.at(output.name).size()), product(output.dims));
        for (size_t i = 0; i < plain.at(output.name).size(); ++i) {
          const float a = plain.at(output.name)[i], b = folded.at(output.name)[i];
          if (!(std::abs(a - b) <= 1e-4f * std::max(1.0f, std::abs(a)) || std::isnan(a))) {
            failed(__FILE__, __LINE__, "seed " + std::to_string(seed) + ": folded and plain plan differ");
            break;
          }
        }
      }
    } catch (const Error& e) {
      ++refused;
      if (e.code != Code::MODEL_ONNX_INVALID)
        failed(__FILE__, __LINE__, "seed " + std::to_string(seed) + ": " + code_text(e.code) + " " + e.what());
    }
  }
  EXPECT(recorded > 500);
  EXPECT(refused > 100);
}

}  // namespace
