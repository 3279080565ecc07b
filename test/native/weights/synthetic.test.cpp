#include "weights/synthetic.h"

#include "ranges.h"
#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

std::vector<float> values(const std::string& prefix, const std::string& name, const Dims& dims) {
  const TensorSource source = synthetic(prefix, {{name, {DType::f32, dims}}});
  std::vector<float> out(static_cast<size_t>(product(dims)));
  source.read(name, 0, std::as_writable_bytes(std::span(out)));
  return out;
}

TEST("synthetic weights follow the written rule") {
  const std::vector<float> conv = values("unet", "conv_in.weight", {4, 3});
  EXPECT_CLOSE(std::vector(conv.begin(), conv.begin() + 4),
               (std::vector{0.24838901, -0.03744030, 0.82967532, 0.74049485}), 1e-8, "matrix");
  EXPECT_CLOSE(values("n", "norm.weight", {4}), (std::vector{0.92464477, 0.93386811, 1.06760478, 1.07826555}), 1e-8,
               "norm scale");
}

TEST("synthetic signals follow the written rule") {
  EXPECT_CLOSE(synthetic_signal("x", 3), (std::vector{-0.10608579, -1.30762744, 0.90101200}), 1e-8, "signal");
}

TEST("a factor multiplies the weights whose names end with it") {
  const TensorIndex index = {{"a.up.weight", {DType::f32, {2, 2}}}, {"a.down.weight", {DType::f32, {2, 2}}}};
  const TensorSource plain = synthetic("p", index), scaled = synthetic("p", index, {{".up.weight", 0.5f}});
  expect_ranges(scaled);
  for (const auto& [name, info] : index) {
    std::vector<float> a(4), b(4);
    plain.read(name, 0, std::as_writable_bytes(std::span(a)));
    scaled.read(name, 0, std::as_writable_bytes(std::span(b)));
    for (float& v : a) v *= name == "a.up.weight" ? 0.5f : 1.0f;
    EXPECT_EQ(a, b);
  }
}

}  // namespace
