#pragma once
// A plan with a little of everything that a UNet does, for tests of backends, and numbers to run plans on.
#include <map>
#include <random>
#include <string>
#include <vector>

#include "plan/builder.h"

namespace ipa::test {

inline std::vector<float> normals(int64_t count, float scale, uint32_t seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> v(static_cast<size_t>(count));
  for (float& x : v) x = normal(generator);
  return v;
}

inline std::map<std::string, std::vector<float>> random_inputs(const Plan& plan) {
  std::map<std::string, std::vector<float>> t;
  uint32_t seed = 1000;
  for (const auto& [name, id] : plan.inputs) t[name] = normals(plan.values[id].shape.size(), 1, seed++);
  return t;
}

// A little of everything that a UNet does, with sizes that no vector width divides.
inline Plan block(int channels = 20, int h = 7, int w = 9) {
  Builder b;
  const auto scope = b.enter("block");
  Value x = b.input("x", {2, h, w, 3});
  const Value temb = b.input("temb", {2, 1, 1, channels}), row = b.input("row", {1, 1, 1, 3});
  const Value mask = b.input("mask", {1, h, w, 1});
  x = b.conv2d("conv_in", x, channels);
  Value y = b.add_channel(b.conv2d("conv1", b.silu(b.group_norm("norm1", x, 4, 1e-5f)), channels), temb);
  x = b.add(b.conv2d("conv2", b.silu(b.group_norm("norm2", y, 5, 1e-5f)), channels), b.conv2d("skip", x, channels, 1));
  const Value context = b.input("context", {2, 1, 11, channels}), image = b.input("image", {1, 1, 5, channels});
  y = b.layer_norm("norm3", x);
  const Value q = b.linear("to_q", y, channels, false);
  Value attended = b.attend(q, b.linear("to_k", context, channels), b.linear("to_v", context, channels), 2);
  attended = b.add_scaled(attended, b.attend(q, image, image, 2), row, 1, mask);
  attended = b.add_scaled(attended, b.attend(q, q, q, 2), row, 2);
  x = b.add(b.linear("to_out", attended, channels), x);
  x = b.add(b.linear("ff.out", b.geglu(b.linear("ff.in", b.layer_norm("norm4", x), channels * 8)), channels), x);
  x = b.conv2d("up", b.upsample(x, h * 2, w * 2), channels);
  x = b.conv2d("down", b.quick_gelu(x), channels, 3, 2);
  b.output("y", b.gelu(b.linear("last", x, 13)));
  return b.finish();
}

}  // namespace ipa::test
