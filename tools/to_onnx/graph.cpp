// The numbers of the fields are those of onnx.proto3, opset 20.
#include "to_onnx/graph.h"

#include <utility>

#include "core/error.h"
#include "plan/ops.h"

namespace ipa::to_onnx {

namespace {

constexpr int kFloat = 1, kInt64 = 7;                                      // TensorProto.DataType
constexpr int kNodes = 1, kInitialisers = 5, kInputs = 11, kOutputs = 12;  // fields of GraphProto
constexpr uint64_t kPage = 4096;  // bytes: weights begin at pages, so that they can be mapped

Message attribute(const Attribute& a) {
  constexpr int kType = 20;
  Message m;
  m.text(1, a.first);
  std::visit(Overloaded{
                 [&](int64_t v) { m.integer(3, v).integer(kType, 2); },
                 [&](float v) { m.number(2, v).integer(kType, 1); },
                 [&](const std::string& v) { m.text(4, v).integer(kType, 3); },
                 [&](const Dims& v) {
                   for (const int64_t i : v) m.integer(8, i);
                   m.integer(kType, 7);
                 },
             },
             a.second);
  return m;
}

Message tensor(const std::string& name, int type, const Dims& dims) {
  Message m;
  for (const int64_t d : dims) m.integer(1, d);
  m.integer(2, type).text(8, name);
  return m;
}

Message port(const std::string& name, const Dims& dims) {
  Message shape;
  for (const int64_t d : dims) shape.message(1, Message().integer(1, d));
  return Message().text(1, name).message(2, Message().message(1, Message().integer(1, kFloat).message(2, shape)));
}

Message entry(const std::string& key, const std::string& value) { return Message().text(1, key).text(2, value); }

template <typename T>
std::string_view bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

}  // namespace

Graph::Graph(std::filesystem::path folder) : folder_(std::move(folder)) {
  std::filesystem::create_directories(folder_);
  file_.open(folder_ / "weights.bin", std::ios::binary);
}

std::string Graph::fresh(const std::string& op) {
  const std::string name = path_ + "/" + op;
  const int times = ++names_[name];
  return times == 1 ? name : name + " " + std::to_string(times);
}

std::string Graph::node(const std::string& op, const Names& inputs, const std::vector<Attribute>& attributes) {
  return node(op, inputs, 1, attributes)[0];
}

Names Graph::node(const std::string& op, const Names& inputs, int results, const std::vector<Attribute>& attributes) {
  Message m;
  Names outputs;
  for (const std::string& name : inputs) m.text(1, name);
  for (int i = 0; i < results; ++i) m.text(2, outputs.emplace_back(fresh(op)));
  m.text(3, outputs[0]).text(4, op);
  for (const Attribute& a : attributes) m.message(5, attribute(a));
  graph_.message(kNodes, m);
  return outputs;
}

std::string Graph::floats(const Dims& dims, const std::vector<float>& values) {
  std::string& name = constants_[text(dims) + std::string(bytes_of(values))];
  if (!name.empty()) return name;
  name = "constant " + std::to_string(constants_.size());
  graph_.message(kInitialisers, tensor(name, kFloat, dims).text(9, bytes_of(values)));
  return name;
}

std::string Graph::integers(const Dims& values) {
  std::string& name = constants_["integers" + std::string(bytes_of(values))];
  if (!name.empty()) return name;
  name = "constant " + std::to_string(constants_.size());
  graph_.message(kInitialisers, tensor(name, kInt64, {static_cast<int64_t>(values.size())}).text(9, bytes_of(values)));
  return name;
}

void Graph::weight(const std::string& name, const Dims& dims, const std::vector<float>& values) {
  weights_.insert(name);
  const std::string_view bytes = bytes_of(values);
  file_.seekp(static_cast<std::streamoff>(bytes_));
  file_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  Message m = tensor(name, kFloat, dims);
  m.message(13, entry("location", "weights.bin"));
  m.message(13, entry("offset", std::to_string(bytes_)));
  m.message(13, entry("length", std::to_string(bytes.size())));
  m.integer(14, 1);  // data_location: EXTERNAL
  graph_.message(kInitialisers, m);
  bytes_ = (bytes_ + bytes.size() + kPage - 1) / kPage * kPage;
}

void Graph::input(const std::string& name, const Dims& dims) { graph_.message(kInputs, port(name, dims)); }

void Graph::output(const std::string& name, const Dims& dims, const std::string& value) {
  const Message same = Message().text(1, value).text(2, name).text(3, name).text(4, "Identity");
  graph_.message(kNodes, same).message(kOutputs, port(name, dims));
}

void Graph::save() {
  graph_.text(2, "plan");
  const Message opset = Message().text(1, "").integer(2, 20);
  const Message model = Message().integer(1, 9).message(8, opset).message(7, graph_);
  std::ofstream out(folder_ / "graph.onnx", std::ios::binary);
  out << model.bytes();
  if (!file_.flush() || !out.flush())
    fail(Code::MODEL_IO, "the ONNX graph cannot be written to " + folder_.string(), "name a folder on a larger disk");
}

}  // namespace ipa::to_onnx
