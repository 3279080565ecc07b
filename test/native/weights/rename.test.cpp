// Fused rows, transposes and new shapes read the numbers they say.
#include "weights/rename.h"

#include "ranges.h"
#include "test.h"
#include "weights/synthetic.h"
#include "weights/tensor_values.h"

namespace {

using namespace ipa;
using namespace ipa::test;

TensorSource source() {
  return synthetic(
      "r", {{"fused", {DType::f32, {6, 3}}}, {"matrix", {DType::f32, {2, 3}}}, {"square", {DType::f32, {4, 4, 1, 1}}}});
}

}  // namespace

TEST("a renamed source shows parts of tensors under new names and nothing else") {
  const std::vector<float> fused = tensor_values(source(), "fused"), matrix = tensor_values(source(), "matrix");
  const TensorSource r = renamed(source(), {{"q", "fused", 0, 2},
                                            {"k", "fused", 2, 2},
                                            {"v", "fused", 4, 2},
                                            {"turned", "matrix", 0, 0, true},
                                            {"turned_rows", "fused", 1, 4, true},
                                            {"linear", "square", 0, 0, false, {4, 4}}});
  EXPECT_EQ(r.index.size(), size_t{6});
  EXPECT_EQ(r.index.at("k").dims, (Dims{2, 3}));
  EXPECT_EQ(r.index.at("turned").dims, (Dims{3, 2}));
  EXPECT_EQ(r.index.at("linear").dims, (Dims{4, 4}));
  EXPECT_EQ(tensor_values(r, "k"), std::vector(fused.begin() + 6, fused.begin() + 12));
  EXPECT_EQ(tensor_values(r, "v"), std::vector(fused.begin() + 12, fused.end()));
  const std::vector<float> turned = tensor_values(r, "turned");
  for (int y = 0; y < 2; ++y)
    for (int x = 0; x < 3; ++x) EXPECT_EQ(turned[x * 2 + y], matrix[y * 3 + x]);
  const std::vector<float> turned_rows = tensor_values(r, "turned_rows");
  for (int y = 0; y < 4; ++y)
    for (int x = 0; x < 3; ++x) EXPECT_EQ(turned_rows[x * 4 + y], fused[(y + 1) * 3 + x]);
  EXPECT_EQ(tensor_values(r, "linear"), tensor_values(source(), "square"));
  expect_ranges(r);
  expect_ranges(renamed(r, {{"part", "turned_rows", 1, 2}, {"back", "turned_rows", 0, 0, true}}));
  EXPECT_CODE(tensor_values(r, "fused"), Code::TENSOR_MISSING);
}

TEST("a renamed source says what cannot be read in parts without reading all of it") {
  TensorSource file = source();
  file.index["square"].scattered = true;
  const TensorSource r =
      renamed(file, {{"rows", "fused", 0, 2}, {"turned", "matrix", 0, 0, true}, {"square", "square", 1, 2}});
  EXPECT(!r.index.at("rows").scattered);
  EXPECT(r.index.at("turned").scattered);
  EXPECT(r.index.at("square").scattered);
}

TEST("rows and shapes that a file has not are refused") {
  EXPECT_CODE(renamed(source(), {{"q", "fused", 5, 2}}), Code::TENSOR_SHAPE);
  EXPECT_CODE(renamed(source(), {{"q", "square", 0, 0, true}}), Code::TENSOR_SHAPE);
  EXPECT_CODE(renamed(source(), {{"q", "matrix", 0, 0, false, {7}}}), Code::TENSOR_SHAPE);
  EXPECT_CODE(renamed(source(), {{"q", "absent"}}), Code::TENSOR_MISSING);
}

TEST("within keeps one prefix and drops it") {
  const TensorSource r = within(synthetic("r", {{"a.x", {DType::f32, {2}}}, {"b.x", {DType::f32, {3}}}}), "b.");
  EXPECT_EQ(r.index.size(), size_t{1});
  EXPECT_EQ(tensor_values(r, "x").size(), size_t{3});
}
