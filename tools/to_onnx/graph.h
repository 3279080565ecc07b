#pragma once
// An ONNX graph while its nodes are written: names every value, keeps weights in a file of their own.
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/shape.h"
#include "to_onnx/message.h"

namespace ipa::to_onnx {

using Attribute = std::pair<std::string, std::variant<int64_t, float, std::string, Dims>>;
using Names = std::vector<std::string>;

class Graph {
 public:
  // Weights go to `folder`/weights.bin as they come, the rest to `folder`/graph.onnx with save().
  explicit Graph(std::filesystem::path folder);

  // Nodes and their results are named after the path of the plan's node that they stand for.
  void stand_for(std::string path) { path_ = std::move(path); }
  // Returns the name of the result.
  std::string node(const std::string& op, const Names& inputs, const std::vector<Attribute>& attributes = {});
  Names node(const std::string& op, const Names& inputs, int results, const std::vector<Attribute>& attributes);

  std::string floats(const Dims& dims, const std::vector<float>& values);  // a constant in the graph itself
  std::string integers(const Dims& values);                                // [values.size()], i64
  // An initialiser in weights.bin, written at its first use.
  bool has_weight(const std::string& name) const { return weights_.contains(name); }
  void weight(const std::string& name, const Dims& dims, const std::vector<float>& values);

  void input(const std::string& name, const Dims& dims);
  void output(const std::string& name, const Dims& dims, const std::string& value);
  void save();

 private:
  std::string fresh(const std::string& op);

  std::filesystem::path folder_;
  std::ofstream file_;
  uint64_t bytes_ = 0;  // of weights.bin
  std::string path_;
  Message graph_;
  std::map<std::string, int> names_;
  std::map<std::string, std::string> constants_;  // by their bytes
  std::set<std::string> weights_;
};

}  // namespace ipa::to_onnx
