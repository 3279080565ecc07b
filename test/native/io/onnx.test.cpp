// ONNX files: initialisers, and graphs that must be refused before anything is computed.
#include "io/onnx.h"

#include "../ranges.h"
#include "../test.h"
#include "hostile.h"

namespace ipa::test {
namespace {

std::string varint(uint64_t v) {
  std::string s;
  for (; v >= 0x80; v >>= 7) s += static_cast<char>(v | 0x80);
  return s + static_cast<char>(v);
}
std::string number(uint32_t field, uint64_t v) { return varint(field << 3) + varint(v); }
std::string bytes(uint32_t field, const std::string& v) { return varint(field << 3 | 2) + varint(v.size()) + v; }

std::string value(uint32_t field, const std::string& name) {  // float [2]
  return bytes(field, bytes(1, name) + bytes(2, bytes(1, number(1, 1) + bytes(2, bytes(1, number(1, 2))))));
}
std::string node(const std::string& in, const std::string& out, const std::string& more = "",
                 const std::string& op = "Relu") {
  return bytes(1, bytes(1, in) + bytes(2, out) + bytes(4, op) + more);
}
std::string initialiser(const std::string& body) { return bytes(5, body); }
std::string model(const std::string& graph, const std::string& opset = number(2, 11)) {
  return number(1, 7) + bytes(7, graph) + bytes(8, opset);
}
const std::string kEnds = value(11, "x") + value(12, "y");

std::string reading(const std::string& file) {
  const Folder folder;
  const std::string path = folder.write("g.onnx", file);
  return outcome("onnx", [&] { open_onnx(path); });
}

}  // namespace

TEST("io: onnx: initialisers are exact, raw or typed") {
  const auto floats = [](std::initializer_list<float> v) {
    return std::string(reinterpret_cast<const char*>(v.begin()), v.size() * 4);
  };
  const std::string graph =
      kEnds + node("x", "y") +
      initialiser(bytes(1, varint(2)) + number(2, 1) + bytes(8, "raw") + bytes(9, floats({1, 2}))) +
      initialiser(number(1, 2) + number(2, 1) + bytes(8, "typed") + bytes(4, floats({3, 4}))) +
      initialiser(number(1, 2) + number(2, 10) + bytes(8, "half") + bytes(5, varint(0x3C00) + varint(0xC000))) +
      initialiser(number(2, 7) + bytes(8, "long") + number(7, static_cast<uint64_t>(-5)));
  const Folder folder;
  const TensorSource source = open_weights(folder.write("g.onnx", model(graph)));
  expect_ranges(source);
  const auto f32 = [&](const std::string& name) {
    const std::vector<std::byte> raw = read_all(source, name);
    const TensorInfo& info = source.index.at(name);
    std::vector<float> v(static_cast<size_t>(product(info.dims)));
    to_f32(info.dtype, raw.data(), v.data(), v.size());
    return v;
  };
  EXPECT(f32("raw") == std::vector<float>({1, 2}));
  EXPECT(f32("typed") == std::vector<float>({3, 4}));
  EXPECT(f32("half") == std::vector<float>({1, -2}));
  EXPECT(f32("long") == std::vector<float>({-5}));
}

TEST("io: onnx: refused graphs") {
  EXPECT_EQ(reading(model(kEnds + node("x", "y"))), "");
  const std::string tensor = number(1, 2) + number(2, 1) + bytes(8, "w");
  const auto attribute = [](const std::string& body) { return node("x", "y", bytes(5, bytes(1, "a") + body)); };
  const std::pair<const char*, std::string> rows[] = {
      {"no graph", number(1, 7) + bytes(8, number(2, 11))},
      {"no opset", number(1, 7) + bytes(7, kEnds + node("x", "y"))},
      {"two graphs", model(kEnds + node("x", "y")) + bytes(7, kEnds + node("x", "y"))},
      {"own functions", model(kEnds + node("x", "y")) + bytes(25, "")},
      {"other domain", model(kEnds + node("x", "y", bytes(7, "com.evil")))},
      {"no operator", model(kEnds + node("x", "y", "", ""))},
      {"graph in an attribute", model(kEnds + attribute(bytes(6, "") + number(20, 5)))},
      {"sparse attribute", model(kEnds + attribute(bytes(22, "") + number(20, 11)))},
      {"attribute of another function", model(kEnds + attribute(bytes(21, "b")))},
      {"sparse initialiser", model(kEnds + node("x", "y") + bytes(15, ""))},
      {"string tensor",
       model(kEnds + node("x", "y") + initialiser(number(1, 1) + number(2, 8) + bytes(8, "w") + bytes(6, "s")))},
      {"external data",
       model(kEnds + node("x", "y") +
             initialiser(tensor + bytes(13, bytes(1, "location") + bytes(2, "../x")) + number(14, 1)))},
      {"short tensor", model(kEnds + node("x", "y") + initialiser(tensor + bytes(9, "1234567")))},
      {"negative dimension",
       model(kEnds + node("x", "y") + initialiser(number(1, ~0ull) + number(2, 1) + bytes(8, "w")))},
      {"product overflows",
       model(kEnds + node("x", "y") +
             initialiser(bytes(1, varint(1ull << 40) + varint(1ull << 40)) + number(2, 1) + bytes(8, "w")))},
      {"initialiser twice", model(kEnds + node("x", "y") + initialiser(tensor + bytes(9, "12345678")) +
                                  initialiser(tensor + bytes(9, "12345678")))},
      {"missing input", model(kEnds + node("z", "y"))},
      {"cycle", model(kEnds + node("b", "a") + node("a", "b") + node("x", "y"))},
      {"output made twice", model(kEnds + node("x", "y") + node("x", "y"))},
      {"output not made", model(kEnds + node("x", "z"))},
      {"group", model(kEnds + node("x", "y") + varint(9 << 3 | 3))},
      {"wrong wire type", model(kEnds + number(1, 3))},
      {"long varint", model(kEnds + node("x", "y") + varint(9 << 3) + std::string(10, '\xff') + "\x01")},
      {"field 0", model(kEnds + node("x", "y") + std::string("\0\0", 2))},
      {"sequence input", model(value(12, "y") + bytes(11, bytes(1, "x") + bytes(2, bytes(4, ""))) + node("x", "y"))},
      {"inner length beyond", model(kEnds + varint(1 << 3 | 2) + varint(1000))},
  };
  for (const auto& [name, file] : rows)
    if (const std::string got = reading(file); got != "MODEL_ONNX_INVALID")
      failed(__FILE__, __LINE__, std::string(name) + ": " + (got.empty() ? "read" : got));
}

}  // namespace ipa::test
