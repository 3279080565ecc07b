// Every form of a change against its formula, and back to the file's bytes.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <optional>
#include <random>

#include "runtime/device.h"
#include "test.h"
#include "weights/lora_form_cases.h"
#include "weights/tensor_values.h"

namespace {

using namespace ipa;
using namespace ipa::test;

Tensors values_of(const TensorSource& source, const std::string& layer) {
  Tensors out;
  for (const auto& [name, info] : source.index)
    out.map[name.substr(module_of(layer).size())] = {info.dims, tensor_values(source, name)};
  return out;
}

// All tensors of a network in a store, the matrices in f16 as real files have them.
struct Weights {
  explicit Weights(const std::string& level = "base") : device(cpu_device(level, 2)) {
    TensorSource source = synthetic("base", network());
    for (auto& [name, info] : source.index) {
      if (info.dims.size() > 1) info.dtype = DType::f16;
      wants.emplace_back();
      wants.back().path = name, wants.back().dims = info.dims;
      if (info.dims.size() == 1) wants.back().role = WeightRole::vector;
    }
    source.read = [index = source.index, read = source.read](const std::string& name, uint64_t first,
                                                             std::span<std::byte> out) {
      if (index.at(name).dtype == DType::f32) return read(name, first, out);
      std::vector<float> values(out.size() / 2);
      read(name, first * 2, std::as_writable_bytes(std::span(values)));
      for (size_t i = 0; i < values.size(); ++i) {
        const uint16_t half = f32_to_f16(values[i]);
        std::memcpy(out.data() + 2 * i, &half, 2);
      }
    };
    store.emplace(device->backend, device->pool, wants, source);
  }
  size_t apply(std::span<const ActiveLora> active) {
    return apply_loras(*store, device->pool, LoraPart::unet, state, active);
  }

  std::shared_ptr<Device> device;
  std::vector<WeightWant> wants;
  std::optional<Store> store;
  LoraState state;
};

// W + strength · scale · ΔW, and with a DoRA vector what it makes of that.
std::vector<double> naive_merge(const FormCase& c, const Tensors& t, const Dims& weight, const std::vector<float>& w,
                                double strength, const std::string& vector, bool per_input) {
  const double scale = c.rank > 0 && t.map.contains(".alpha") ? t[".alpha"](0) / static_cast<double>(c.rank) : 1;
  const auto size = [&](size_t axis) { return axis < weight.size() ? weight[axis] : 1; };
  std::vector<double> v, out;
  std::map<int64_t, double> squares;
  const auto each = [&](const auto& f) {
    size_t place = 0;
    for (int64_t o = 0; o < size(0); ++o)
      for (int64_t i = 0; i < size(1); ++i)
        for (int64_t y = 0; y < size(2); ++y)
          for (int64_t x = 0; x < size(3); ++x) f(o, i, y, x, place++);
  };
  const double now = vector.empty() ? strength : 1;
  each([&](int64_t o, int64_t i, int64_t y, int64_t x, size_t place) {
    v.push_back(w[place] + now * scale * c.naive(t, o, i, y, x));
    squares[per_input ? i : o] += v.back() * v.back();
  });
  if (vector.empty()) return v;
  each([&](int64_t o, int64_t i, int64_t, int64_t, size_t place) {
    const int64_t group = per_input ? i : o;
    const double changed = v[place] * t[vector].values[static_cast<size_t>(group)] / std::sqrt(squares[group]);
    out.push_back(w[place] + strength * (changed - w[place]));
  });
  return out;
}

// f32 sums of at most 16 terms, the largest of a weight's size or less: 16 roundings of 2^-24.
constexpr double kRoundings = 1e-6;

void expect_merged(const FormCase& c, const Weights& weights, const std::string& vector, Dims vector_dims,
                   bool per_input, double strength) {
  std::map<std::string, Dims> tensors = c.tensors;
  tensors[".alpha"] = {};
  if (!vector.empty()) tensors[vector] = std::move(vector_dims);
  const TensorSource file = file_of(c.layer, tensors);
  const Lora lora = open_for(file);
  const std::string path = c.layer + ".weight", what = c.what + (" " + vector) + (per_input ? " per input" : "");
  EXPECT_EQ(lora.unmatched.size(), size_t{0});
  EXPECT_EQ(lora.modules(), size_t{1});
  EXPECT_EQ(lora.rank, c.rank);
  const ActiveLora active[] = {{&lora, static_cast<float>(strength)}};
  const std::vector<float> plain = weights.store->pristine(path);
  const std::vector<double> want = naive_merge(c, values_of(file, c.layer), network().at(path).dims, plain,
                                               static_cast<float>(strength), vector, per_input);
  double largest = 0, change = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    largest = std::max(largest, std::abs(want[i]));
    change = std::max(change, std::abs(want[i] - plain[i]));
  }
  EXPECT(change > 100 * kRoundings * largest);
  EXPECT_CLOSE(merged_weight(*weights.store, LoraPart::unet, path, active), want, kRoundings * largest, what);
}

}  // namespace

TEST("every form of LoRA file merges as its formula says, with any strength and with DoRA") {
  const Weights weights;
  for (const FormCase& c : form_cases()) {
    const Dims weight = network().at(c.layer + ".weight").dims;
    const auto dims = [&](Dims d) {  // the other axes are 1
      d.resize(weight.size(), 1);
      return d;
    };
    for (const double strength : {1.0, 0.8, -0.5}) {
      expect_merged(c, weights, "", {}, false, strength);
      expect_merged(c, weights, ".dora_scale", dims({weight[0], 1}), false, strength);
      expect_merged(c, weights, ".dora_scale", dims({1, weight[1]}), true, strength);
      expect_merged(c, weights, ".lora_magnitude_vector", {weight[0]}, false, strength);
      expect_merged(c, weights, ".lora_magnitude_vector.weight", dims({1, weight[0]}), false, strength);
    }
  }
}

TEST("differences of biases and norms are added as they are, a LoRA's own bias with its scale") {
  const Weights weights;
  const auto merged = [&](const TensorSource& file, const std::string& path, size_t modules) {
    const Lora lora = open_for(file);
    EXPECT_EQ(lora.modules(), modules);
    const ActiveLora active[] = {{&lora, 0.5f}};
    std::vector<float> out = merged_weight(*weights.store, LoraPart::unet, path, active);
    const std::vector<float> plain = weights.store->pristine(path);
    for (size_t i = 0; i < out.size(); ++i) out[i] -= plain[i];
    return out;
  };
  const auto halved = [](std::vector<float> values, float factor = 0.5f) {
    for (float& v : values) v *= factor;
    return values;
  };
  const auto expect = [&](const std::string& layer, std::map<std::string, Dims> tensors, const std::string& ending,
                          const std::string& change) {
    tensors[".alpha"] = {};
    const TensorSource file = file_of(layer, tensors);
    EXPECT_CLOSE(merged(file, layer + change, 1), halved(tensor_values(file, module_of(layer) + ending)), 2e-7,
                 layer + ending);
  };
  for (const char* weight : {".diff", ".w_norm"}) expect(kNorm, {{weight, {10}}}, weight, ".weight");
  for (const char* bias : {".diff_b", ".b_norm"}) expect(kNorm, {{bias, {10}}}, bias, ".bias");
  expect(kNorm, {{".w_norm", {10}}, {".b_norm", {10}}}, ".b_norm", ".bias");
  expect(kConv, {{".diff", {6, 10, 3, 3}}, {".diff_b", {6}}}, ".diff_b", ".bias");
  const std::map<std::string, Dims> plain = {{".lora_down.weight", {4, 35}}, {".lora_up.weight", {6, 4}}};
  std::map<std::string, Dims> tensors = plain;
  tensors[".diff_b"] = {6};  // as extractions of LoRAs have it
  expect(kLinear, tensors, ".diff_b", ".bias");

  tensors = plain;
  tensors[".lora_B.bias"] = {6}, tensors[".alpha"] = {};
  const TensorSource file = file_of(kLinear, tensors);
  const float scale = tensor_values(file, module_of(kLinear) + ".alpha")[0] / 4;
  EXPECT_CLOSE(merged(file, kLinear + ".bias", 1),
               halved(tensor_values(file, module_of(kLinear) + ".lora_B.bias"), 0.5f * scale), 2e-7, "LoRA bias");
}

TEST("a channel that is zero stays zero under DoRA") {
  const Weights weights;
  TensorSource file = file_of(kLinear, {{".diff", {6, 35}}, {".dora_scale", {6, 1}}});
  const std::vector<float> plain = weights.store->pristine(kLinear + ".weight");
  file.read = [plain, read = file.read](const std::string& name, uint64_t first, std::span<std::byte> out) {
    if (!name.ends_with(".diff")) return read(name, first, out);
    std::vector<float> gone;
    for (const float v : plain) gone.push_back(-v);
    const auto bytes = std::as_bytes(std::span(gone)).subspan(first, out.size());
    std::copy(bytes.begin(), bytes.end(), out.begin());
  };
  const Lora lora = open_for(file);
  const ActiveLora active[] = {{&lora, 1}};
  for (const float v : merged_weight(*weights.store, LoraPart::unet, kLinear + ".weight", active)) EXPECT_EQ(v, 0.0f);
}

TEST("LoRAs of every form merge and un-merge in any order, to the same bytes") {
  for (const std::string& level : cpu_levels()) {
    Weights weights(level);
    const uint64_t plain = weights.store->digest();
    std::deque<Lora> loras;
    for (const FormCase& c : form_cases())
      for (const bool dora : {false, true}) {
        std::map<std::string, Dims> tensors = c.tensors;
        if (dora) tensors[".lora_magnitude_vector"] = {network().at(c.layer + ".weight").dims[0]};
        loras.push_back(open_for(file_of(c.layer, tensors, c.what)));
      }
    loras.push_back(open_for(file_of(kNorm, {{".w_norm", {10}}, {".b_norm", {10}}})));
    std::mt19937 random(7);
    for (int order = 0; order < 50; ++order) {
      std::vector<ActiveLora> active;
      for (const Lora& lora : loras)
        if (random() % 2) active.push_back({&lora, 0.25f + 0.25f * static_cast<float>(random() % 4)});
      std::shuffle(active.begin(), active.end(), random);
      weights.apply(active);
      EXPECT(active.empty() || weights.store->digest() != plain);
      if (order % 10 == 0) {  // what was merged before leaves no trace
        Weights fresh(level);
        fresh.apply(active);
        EXPECT_EQ(weights.store->digest(), fresh.store->digest());
      }
      if (random() % 2) continue;
      weights.apply({});
      EXPECT_EQ(weights.store->digest(), plain);
    }
    weights.apply({});
    EXPECT_EQ(weights.store->digest(), plain);
  }
}

TEST("DoRA acts on the sum so far, in the order of the list") {
  const Weights weights;
  const FormCase& plain = form_cases()[0];
  std::map<std::string, Dims> tensors = plain.tensors;
  const Lora sum = open_for(file_of(kLinear, tensors, "a"));
  tensors[".dora_scale"] = {6, 1};
  const TensorSource file = file_of(kLinear, tensors, "b");
  const Lora dora = open_for(file);
  const std::string path = kLinear + ".weight";
  const auto merged = [&](std::vector<ActiveLora> active) {
    return merged_weight(*weights.store, LoraPart::unet, path, active);
  };
  const std::vector<double> want =
      naive_merge(plain, values_of(file, kLinear), {6, 35}, merged({{&sum, 0.7f}}), 1, ".dora_scale", false);
  EXPECT_CLOSE(merged({{&sum, 0.7f}, {&dora, 1}}), want, 4 * kRoundings, "after the other");
  EXPECT(merged({{&sum, 0.7f}, {&dora, 1}}) != merged({{&dora, 1}, {&sum, 0.7f}}));
}

TEST("the same changes in two files are recognised in every form") {
  for (const FormCase& c : form_cases()) {
    const Lora a = open_for(file_of(c.layer, c.tensors)), b = open_for(file_of(c.layer, c.tensors));
    EXPECT(same_deltas(a, b));
    EXPECT(!same_deltas(a, open_for(file_of(c.layer, c.tensors, "other"))));
    std::map<std::string, Dims> tensors = c.tensors;
    tensors[".lora_magnitude_vector"] = {network().at(c.layer + ".weight").dims[0]};
    EXPECT(!same_deltas(a, open_for(file_of(c.layer, tensors))));
  }
}
