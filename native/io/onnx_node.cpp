#include <set>

#include "io/onnx_parts.h"

namespace ipa {

namespace {

OnnxAttribute read_attribute(ProtoReader proto, OnnxModel& model) {
  OnnxAttribute a;
  int64_t type = 0;
  std::string unused;
  using K = OnnxAttribute::Kind;
  while (proto.next()) {
    switch (proto.field()) {
      case 1:
        a.name = proto.text();
        break;
      case 2:
        a.real = proto.f32();
        a.kind = K::real;
        break;
      case 3:
        a.integer = proto.varint();
        a.kind = K::integer;
        break;
      case 4:
        a.text = proto.text();
        a.kind = K::text;
        break;
      case 5:
        a.tensor = read_onnx_tensor(proto.message("t"), model, unused);
        a.kind = K::tensor;
        break;
      case 7:
        proto.fixed(a.reals);
        a.kind = K::reals;
        break;
      case 8:
        proto.varints(a.integers);
        a.kind = K::integers;
        break;
      case 9:
        a.texts.push_back(proto.text());
        a.kind = K::texts;
        break;
      case 20:
        type = proto.varint();
        break;
      case 6:
      case 11:
        proto.fail("holds a graph: control flow is refused");
      case 21:
        proto.fail("refers to a function's attribute");
      case 10:
      case 14:
      case 15:
      case 22:
      case 23:
        proto.fail("holds a value of a refused type");
      default:
        proto.skip();
    }
  }
  // The declared type settles empty lists and zeros, which leave no field behind. source: onnx.proto AttributeType
  switch (type) {
    case 0:
      break;  // files from before the type was written
    case 1:
      a.kind = K::real;
      break;
    case 2:
      a.kind = K::integer;
      break;
    case 3:
      a.kind = K::text;
      break;
    case 4:
      if (a.kind != K::tensor) proto.fail("attribute " + quoted(a.name) + " lacks its tensor");
      break;
    case 6:
      a.kind = K::reals;
      break;
    case 7:
      a.kind = K::integers;
      break;
    case 8:
      a.kind = K::texts;
      break;
    default:
      proto.fail("attribute " + quoted(a.name) + " has the refused type " + std::to_string(type));
  }
  if (a.name.empty()) proto.fail("holds an attribute without a name");
  return a;
}

}  // namespace

OnnxNode read_onnx_node(ProtoReader proto, OnnxModel& model) {
  OnnxNode node;
  while (proto.next()) {
    switch (proto.field()) {
      case 1:
        node.inputs.push_back(proto.text());
        break;
      case 2:
        node.outputs.push_back(proto.text());
        break;
      case 3:
        node.name = proto.text();
        break;
      case 4:
        node.op_type = proto.text();
        break;
      case 5:
        node.attributes.push_back(
            read_attribute(proto.message("attribute[" + std::to_string(node.attributes.size()) + "]"), model));
        break;
      case 7:
        node.domain = proto.text();
        break;
      case 8:
        proto.fail("calls an overload of a function");
      default:
        proto.skip();
    }
  }
  if (node.op_type.empty()) proto.fail("has no operator");
  if (!node.domain.empty() && node.domain != "ai.onnx")
    proto.fail("uses operator " + quoted(node.op_type) + " of domain " + quoted(node.domain));
  std::set<std::string_view> names;
  for (const OnnxAttribute& a : node.attributes)
    if (!names.insert(a.name).second) proto.fail("gives attribute " + quoted(a.name) + " twice");
  return node;
}

}  // namespace ipa
