#include "io/onnx.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "io/checked.h"
#include "io/onnx_parts.h"
#include "io/protobuf.h"
#include "io/safetensors.h"

namespace ipa {

namespace {

constexpr uint64_t kLargestModel = (uint64_t{2} << 30) - 1;  // bytes; protobuf itself ends there
constexpr size_t kMostNodes = 100'000;
constexpr const char* kDamaged = "download the file again";

void read_dimension(ProtoReader proto, OnnxValue& value) {
  int64_t size = -1;
  std::string symbol;
  while (proto.next()) {
    if (proto.field() == 1) {
      size = proto.varint();
      // Some exporters write -1 or 0 for "open" where the format has a name for it.
      if (size < -1) proto.fail("has the negative dimension " + std::to_string(size));
    } else if (proto.field() == 2) {
      symbol = proto.text();
    } else {
      proto.skip();
    }
  }
  value.dims.push_back(size);
  value.symbols.push_back(size < 0 ? symbol : "");
}

void read_tensor_type(ProtoReader proto, OnnxValue& value) {
  int64_t elem_type = 0;
  while (proto.next()) {
    if (proto.field() == 1) {
      elem_type = proto.varint();
    } else if (proto.field() == 2) {
      value.has_shape = true;
      ProtoReader shape = proto.message("shape");
      while (shape.next()) {
        if (shape.field() != 1) {
          shape.skip();
          continue;
        }
        if (value.dims.size() == kMostDimensions) shape.fail("has more than 8 dimensions");
        read_dimension(shape.message("dim[" + std::to_string(value.dims.size()) + "]"), value);
      }
    } else {
      proto.skip();
    }
  }
  value.dtype = onnx_dtype(elem_type);
  if (value.dtype == DType::unknown) proto.fail("has element type " + std::to_string(elem_type));
}

OnnxValue read_value(ProtoReader proto) {
  OnnxValue value;
  bool typed = false;
  while (proto.next()) {
    if (proto.field() == 1) {
      value.name = proto.text();
    } else if (proto.field() == 2) {
      ProtoReader type = proto.message("type");
      while (type.next()) {
        if (type.field() == 1) {
          if (typed) type.fail("is given twice");
          typed = true;
          read_tensor_type(type.message("tensor_type"), value);
        } else if (type.field() == 4 || type.field() == 5 || type.field() == 8 || type.field() == 9) {
          type.fail("is not a tensor");
        } else {
          type.skip();
        }
      }
    } else {
      proto.skip();
    }
  }
  if (value.name.empty()) proto.fail("has no name");
  if (!typed) proto.fail("value " + quoted(value.name) + " has no type");
  return value;
}

void read_graph(ProtoReader proto, OnnxModel& model) {
  const auto item = [&proto](const char* name, size_t i) {
    return proto.message(std::string(name) + "[" + std::to_string(i) + "]");
  };
  while (proto.next()) {
    switch (proto.field()) {
      case 1:
        if (model.nodes.size() == kMostNodes) proto.fail("has more than 100,000 nodes");
        model.nodes.push_back(read_onnx_node(item("node", model.nodes.size()), model));
        break;
      case 5: {
        std::string name;
        const OnnxTensor tensor = read_onnx_tensor(item("initializer", model.initialisers.size()), model, name);
        if (name.empty()) proto.fail("holds an initialiser without a name");
        if (model.initialisers.size() == kMostTensors) proto.fail("has more than 200,000 initialisers");
        if (!model.initialisers.emplace(name, tensor).second)
          proto.fail("names initialiser " + quoted(name) + " twice");
        break;
      }
      case 11:
        model.inputs.push_back(read_value(item("input", model.inputs.size())));
        break;
      case 12:
        model.outputs.push_back(read_value(item("output", model.outputs.size())));
        break;
      case 15:
        proto.fail("holds sparse initialisers");
      default:
        proto.skip();
    }
  }
  if (model.outputs.empty()) proto.fail("has no outputs");
}

// Each name is made once and before it is read: no cycles, no missing inputs.
void check_order(const ProtoReader& proto, OnnxModel& model) {
  std::set<std::string_view> made;
  // Old files list the initialisers among the inputs.
  std::erase_if(model.inputs, [&](const OnnxValue& v) { return model.initialisers.contains(v.name); });
  for (const auto& [name, tensor] : model.initialisers) made.insert(name);
  for (const OnnxValue& v : model.inputs)
    if (!made.insert(v.name).second) proto.fail("names input " + quoted(v.name) + " twice");
  for (size_t i = 0; i < model.nodes.size(); ++i) {
    const OnnxNode& node = model.nodes[i];
    const std::string shown = "graph.node[" + std::to_string(i) + "] (" + node.op_type + " " + quoted(node.name) + ") ";
    for (const std::string& input : node.inputs)
      if (!input.empty() && !made.contains(input))
        proto.fail(shown + "reads " + quoted(input) + ", which nothing before it makes");
    for (const std::string& output : node.outputs)
      if (!output.empty() && !made.insert(output).second)
        proto.fail(shown + "makes " + quoted(output) + " a second time");
  }
  for (const OnnxValue& v : model.outputs)
    if (!made.contains(v.name)) proto.fail("output " + quoted(v.name) + " is made by no node");
}

int64_t read_opset(ProtoReader proto) {
  std::string domain;
  int64_t version = 0;
  while (proto.next()) {
    if (proto.field() == 1) {
      domain = proto.text();
    } else if (proto.field() == 2) {
      version = proto.varint();
    } else {
      proto.skip();
    }
  }
  // Other domains may be declared; a node that uses one is refused by itself.
  if (!domain.empty() && domain != "ai.onnx") return 0;
  if (version < 1 || version > 1'000) proto.fail("has the impossible opset " + std::to_string(version));
  return version;
}

// The top level's fields fill the file exactly. Read piecewise, so that a lying or sparse file costs no memory; a field
// that reaches beyond the end is a download that stopped.
void check_top_level(const File& file) {
  if (file.size() > kLargestModel)
    file.fail(Code::MODEL_ONNX_INVALID, "has " + std::to_string(file.size()) + " bytes; ONNX ends at 2 GiB", kDamaged);
  const auto refuse = [&](uint64_t at) {
    file.fail(Code::MODEL_ONNX_INVALID, "has a damaged field at byte " + std::to_string(at), kDamaged);
  };
  for (uint64_t at = 0; at < file.size();) {
    const std::string head =
        file.read_text(at, std::min<uint64_t>(20, file.size() - at));  // tag and length: at most 10 bytes each
    size_t used = 0;
    const auto number = [&] {
      uint64_t value = 0;
      for (int shift = 0;; shift += 7) {
        if (used == head.size())
          file.fail(Code::MODEL_TRUNCATED, "ends inside a field at byte " + std::to_string(at), kDamaged);
        const uint8_t byte = static_cast<uint8_t>(head[used++]);
        if (shift > 63 || (shift == 63 && byte > 1)) refuse(at);
        value |= static_cast<uint64_t>(byte & 0x7F) << shift;
        if (byte < 0x80) return value;
      }
    };
    const uint64_t tag = number();
    if (tag >> 3 == 0 || tag >> 32) refuse(at);
    uint64_t length = 0;
    switch (tag & 7) {
      case 0:
        number();
        break;
      case 1:
        length = 8;
        break;
      case 2:
        length = number();
        break;
      case 5:
        length = 4;
        break;
      default:
        refuse(at);
    }
    const uint64_t left = file.size() - at - used;
    if (length > left)
      file.fail(
          Code::MODEL_TRUNCATED,
          "ends " + std::to_string(length - left) + " bytes before the end of its field " + std::to_string(tag >> 3),
          kDamaged);
    at += used + length;
  }
}

}  // namespace

OnnxModel open_onnx(const File& file) {
  check_top_level(file);
  auto bytes = std::make_shared<std::vector<std::byte>>(file.size());
  file.read(0, *bytes);
  file.check_unchanged();

  OnnxModel model;
  model.label = file.name();
  model.storage.push_back(bytes);
  ProtoReader proto(*bytes, quoted(file.name()) + ": model");
  bool graph = false;
  while (proto.next()) {
    switch (proto.field()) {
      case 7:
        if (graph) proto.fail("holds two graphs");
        graph = true;
        read_graph(proto.message("graph"), model);
        break;
      case 8:
        model.opset = std::max(model.opset, read_opset(proto.message("opset_import")));
        break;
      case 25:
        proto.fail("defines functions of its own");
      default:
        proto.skip();
    }
  }
  if (!graph) proto.fail("holds no graph");
  if (model.opset == 0) proto.fail("does not say which opset of ONNX it uses");
  check_order(proto, model);
  return model;
}

OnnxModel open_onnx(const std::string& path) { return open_onnx(File(path)); }

TensorSource onnx_weights(OnnxModel model) {
  auto held = std::make_shared<const OnnxModel>(std::move(model));
  TensorSource source;
  source.label = held->label;
  for (const auto& [name, tensor] : held->initialisers) source.index.emplace(name, tensor.info);
  source.read = [held](const std::string& name, uint64_t first, std::span<std::byte> out) {
    const auto found = held->initialisers.find(name);
    if (found == held->initialisers.end())
      fail(Code::TENSOR_MISSING, quoted(held->label) + ": has no tensor " + quoted(name),
           "check that this is the right file");
    const std::span<const std::byte> bytes = found->second.bytes;
    if (!inside(first, out.size(), bytes.size()))
      fail(Code::INTERNAL, quoted(held->label) + ": tensor " + quoted(name) + " was asked for with a wrong size",
           "report this as a bug");
    if (!out.empty()) std::memcpy(out.data(), bytes.data() + first, out.size());
  };
  return source;
}

}  // namespace ipa
