// Tensors combined by hand: weights, zeros, one tensor alone, rows of length 1.
#include "runtime/combine.h"

#include <string>
#include <vector>

#include "test.h"

namespace {

using namespace ipa;
using namespace ipa::test;

Tensor row(std::vector<float> numbers) { return {{1, 1, 1, static_cast<int64_t>(numbers.size())}, std::move(numbers)}; }

TEST("combine: each way, by hand") {
  const std::vector<Tensor> three = {row({1, 0, -4, 2}), row({2, 0, 3, 2}), row({3, 0, 1, -2})};
  const std::vector<float> ones(3, 1);
  const auto is = [&](const char* name, const std::vector<float>& weights, const std::vector<float>& want) {
    EXPECT_CLOSE(combine(*combine_of(name), three, weights, false).data, want, 1e-6, name);
  };
  is("average", ones, {2, 0, 0, 2.0f / 3});
  is("average", {1, 0, 3}, {2.5f, 0, -0.25f, -1});
  is("add", {1, 2, 0}, {5, 0, 2, 6});
  is("subtract", ones, {-1.5f, 0, -6, 2});
  is("max", ones, {3, 0, 3, 2});
  is("min", {1, 1, 2}, {1, 0, -4, -4});
  is("norm average", ones, {0.5345225f, 0, 0, 0.1924501f});  // 6 / sqrt(14) / 3, 0 / sqrt(26), 2 / sqrt(12) / 3
  EXPECT(!combine_of("concat"));
}

TEST("combine: one alone, and rows of length 1") {
  const std::vector<Tensor> one = {row({3, 4})};
  for (const char* name : {"average", "add", "subtract", "max", "min"})
    EXPECT_CLOSE(combine(*combine_of(name), one, {1}, false).data, (std::vector<float>{3, 4}), 0, name);
  EXPECT_CLOSE(combine(Combine::add, one, {2}, true).data, (std::vector<float>{0.6f, 0.8f}), 1e-7, "renormalised");
  EXPECT_CLOSE(combine(Combine::add, {row({0, 0})}, {1}, true).data, (std::vector<float>{0, 0}), 0, "zeros stay");
}

}  // namespace
