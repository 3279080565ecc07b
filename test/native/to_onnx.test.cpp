// Plans as ONNX graphs: what cannot be written. What can is run by ONNX Runtime, test/to-onnx.test.ts.
#include "to_onnx/writer.h"

#include <string>

#include "io/hostile.h"
#include "plan/builder.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

std::string refusal(Builder& b, Value y) {
  b.output("y", y);
  const Folder folder;
  try {
    to_onnx::write_plan(folder("graph"), b.finish(), {}, {}, {});
  } catch (const Error& e) {
    return e.what();
  }
  return "none";
}

TEST("to_onnx: an operation or function without an ONNX form is named, with its place") {
  Builder b;
  const auto scope = b.enter("block");
  EXPECT_EQ(refusal(b, b.softmax(b.input("x", {1, 1, 2, 4}))),
            "block.softmax: there is no ONNX form of operation softmax");
  Builder other;
  EXPECT_EQ(refusal(other, other.apply(Function::tanh, other.input("x", {1, 1, 2, 4}))),
            "apply: there is no ONNX form of function 7 of ops.h");
}

}  // namespace
