#pragma once
// One LoRA file of every form, for layers of odd shapes, and what each makes, written out number by number in f64.
#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "weights/lora.h"
#include "weights/synthetic.h"

namespace ipa::test {

// A network of odd shapes, all dimensions different.
inline const std::string kLinear = "time_embedding.linear_1", kConv = "down_blocks.0.resnets.0.conv1",
                         kPoint = "down_blocks.0.resnets.0.conv_shortcut", kNorm = "down_blocks.0.resnets.0.norm1",
                         kNoBias = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q";
inline TensorIndex network() {
  const auto f32 = [](Dims dims) { return TensorInfo{DType::f32, std::move(dims)}; };
  return {{kLinear + ".weight", f32({6, 35})},      {kLinear + ".bias", f32({6})},
          {kConv + ".weight", f32({6, 10, 3, 3})},  {kConv + ".bias", f32({6})},
          {kPoint + ".weight", f32({9, 10, 1, 1})}, {kPoint + ".bias", f32({9})},
          {kNorm + ".weight", f32({10})},           {kNorm + ".bias", f32({10})},
          {kNoBias + ".weight", f32({7, 5})}};
}

// One tensor as f64; an index it has not is 0.
struct Tensor {
  Dims dims;
  std::vector<float> values;
  double operator()(int64_t i, int64_t j = 0, int64_t k = 0, int64_t l = 0) const {
    const int64_t at[] = {i, j, k, l};
    int64_t place = 0;
    for (size_t d = 0; d < dims.size(); ++d) place = place * dims[d] + at[d];
    return values[static_cast<size_t>(place)];
  }
};
// Of one module, by ending.
struct Tensors {
  std::map<std::string, Tensor> map;
  const Tensor& operator[](const std::string& ending) const { return map.at(ending); }
};

// Σ f(r) and Σ f(r, s) over ranks.
inline double sum(int64_t n, const auto& f) {
  double total = 0;
  for (int64_t r = 0; r < n; ++r) total += f(r);
  return total;
}
inline double sum2(int64_t n, const auto& f) {
  return sum(n, [&](int64_t r) { return sum(n, [&](int64_t s) { return f(r, s); }); });
}

using Naive = double (*)(const Tensors& t, int64_t o, int64_t i, int64_t y, int64_t x);  // ΔW[o, i, y, x]
struct FormCase {
  const char* what;
  std::string layer;
  std::map<std::string, Dims> tensors;  // by ending
  int64_t rank;                         // 0: alpha says nothing
  Naive naive;
};

inline const std::vector<FormCase>& form_cases() {
  static const std::vector<FormCase> cases = {
      {"LoRA, linear",
       kLinear,
       {{".lora_down.weight", {4, 35}}, {".lora_up.weight", {6, 4}}},
       4,
       [](const Tensors& t, int64_t o, int64_t i, int64_t, int64_t) {
         return sum(4, [&](int64_t r) { return t[".lora_up.weight"](o, r) * t[".lora_down.weight"](r, i); });
       }},
      {"LoRA, 3x3",
       kConv,
       {{".lora_down.weight", {4, 10, 3, 3}}, {".lora_up.weight", {6, 4, 1, 1}}},
       4,
       [](const Tensors& t, int64_t o, int64_t i, int64_t y, int64_t x) {
         return sum(4, [&](int64_t r) { return t[".lora_up.weight"](o, r) * t[".lora_down.weight"](r, i, y, x); });
       }},
      {"LoRA, 1x1 of flat factors",
       kPoint,
       {{".lora_A.weight", {2, 10}}, {".lora_B.weight", {9, 2}}},
       2,
       [](const Tensors& t, int64_t o, int64_t i, int64_t, int64_t) {
         return sum(2, [&](int64_t r) { return t[".lora_B.weight"](o, r) * t[".lora_A.weight"](r, i); });
       }},
      {"LoCon, Tucker",
       kConv,
       {{".lora_down.weight", {4, 10, 1, 1}}, {".lora_mid.weight", {4, 4, 3, 3}}, {".lora_up.weight", {6, 4, 1, 1}}},
       4,
       [](const Tensors& t, int64_t o, int64_t i, int64_t y, int64_t x) {
         return sum2(4, [&](int64_t n, int64_t m) {
           return t[".lora_mid.weight"](n, m, y, x) * t[".lora_up.weight"](o, n) * t[".lora_down.weight"](m, i);
         });
       }},
      {"LoHa, linear",
       kLinear,
       {{".hada_w1_a", {6, 4}}, {".hada_w1_b", {4, 35}}, {".hada_w2_a", {6, 4}}, {".hada_w2_b", {4, 35}}},
       4,
       [](const Tensors& t, int64_t o, int64_t i, int64_t, int64_t) {
         return sum(4, [&](int64_t r) { return t[".hada_w1_a"](o, r) * t[".hada_w1_b"](r, i); }) *
                sum(4, [&](int64_t r) { return t[".hada_w2_a"](o, r) * t[".hada_w2_b"](r, i); });
       }},
      {"LoHa, pairs of two ranks",
       kPoint,
       {{".hada_w1_a", {9, 4}}, {".hada_w1_b", {4, 10}}, {".hada_w2_a", {9, 3}}, {".hada_w2_b", {3, 10}}},
       4,
       [](const Tensors& t, int64_t o, int64_t i, int64_t, int64_t) {
         return sum(4, [&](int64_t r) { return t[".hada_w1_a"](o, r) * t[".hada_w1_b"](r, i); }) *
                sum(3, [&](int64_t r) { return t[".hada_w2_a"](o, r) * t[".hada_w2_b"](r, i); });
       }},
      {"LoHa, 3x3",
       kConv,
       {{".hada_w1_a", {6, 4}}, {".hada_w1_b", {4, 90}}, {".hada_w2_a", {6, 4}}, {".hada_w2_b", {4, 90}}},
       4,
       [](const Tensors& t, int64_t o, int64_t i, int64_t y, int64_t x) {
         const int64_t c = (i * 3 + y) * 3 + x;
         return sum(4, [&](int64_t r) { return t[".hada_w1_a"](o, r) * t[".hada_w1_b"](r, c); }) *
                sum(4, [&](int64_t r) { return t[".hada_w2_a"](o, r) * t[".hada_w2_b"](r, c); });
       }},
      {"LoHa, Tucker",
       kConv,
       {{".hada_t1", {4, 4, 3, 3}},
        {".hada_w1_a", {4, 6}},
        {".hada_w1_b", {4, 10}},
        {".hada_t2", {4, 4, 3, 3}},
        {".hada_w2_a", {4, 6}},
        {".hada_w2_b", {4, 10}}},
       4,
       [](const Tensors& t, int64_t o, int64_t i, int64_t y, int64_t x) {
         const auto factor = [&](const std::string& n) {
           return sum2(4, [&](int64_t a, int64_t b) {
             return t[".hada_t" + n](a, b, y, x) * t[".hada_w" + n + "_b"](b, i) * t[".hada_w" + n + "_a"](a, o);
           });
         };
         return factor("1") * factor("2");
       }},
      {"LoKr, both whole",
       kLinear,
       {{".lokr_w1", {2, 7}}, {".lokr_w2", {3, 5}}},
       0,
       [](const Tensors& t, int64_t o, int64_t i, int64_t, int64_t) {
         return t[".lokr_w1"](o / 3, i / 5) * t[".lokr_w2"](o % 3, i % 5);
       }},
      {"LoKr, both products",
       kLinear,
       {{".lokr_w1_a", {2, 5}}, {".lokr_w1_b", {5, 7}}, {".lokr_w2_a", {3, 4}}, {".lokr_w2_b", {4, 5}}},
       4,
       [](const Tensors& t, int64_t o, int64_t i, int64_t, int64_t) {
         return sum(5, [&](int64_t r) { return t[".lokr_w1_a"](o / 3, r) * t[".lokr_w1_b"](r, i / 5); }) *
                sum(4, [&](int64_t r) { return t[".lokr_w2_a"](o % 3, r) * t[".lokr_w2_b"](r, i % 5); });
       }},
      {"LoKr, the first a product",
       kPoint,
       {{".lokr_w1_a", {3, 4}}, {".lokr_w1_b", {4, 5}}, {".lokr_w2", {3, 2, 1, 1}}},
       4,
       [](const Tensors& t, int64_t o, int64_t i, int64_t, int64_t) {
         return sum(4, [&](int64_t r) { return t[".lokr_w1_a"](o / 3, r) * t[".lokr_w1_b"](r, i / 2); }) *
                t[".lokr_w2"](o % 3, i % 2);
       }},
      {"LoKr, 3x3 whole",
       kConv,
       {{".lokr_w1", {2, 5}}, {".lokr_w2", {3, 2, 3, 3}}},
       0,
       [](const Tensors& t, int64_t o, int64_t i, int64_t y, int64_t x) {
         return t[".lokr_w1"](o / 3, i / 2) * t[".lokr_w2"](o % 3, i % 2, y, x);
       }},
      {"LoKr, 3x3 product",
       kConv,
       {{".lokr_w1", {3, 2}}, {".lokr_w2_a", {2, 4}}, {".lokr_w2_b", {4, 45}}},
       4,
       [](const Tensors& t, int64_t o, int64_t i, int64_t y, int64_t x) {
         return t[".lokr_w1"](o / 2, i / 5) * sum(4, [&](int64_t r) {
                  return t[".lokr_w2_a"](o % 2, r) * t[".lokr_w2_b"](r, (i % 5 * 3 + y) * 3 + x);
                });
       }},
      {"LoKr, Tucker",
       kConv,
       {{".lokr_w1", {2, 5}}, {".lokr_t2", {4, 4, 3, 3}}, {".lokr_w2_a", {4, 3}}, {".lokr_w2_b", {4, 2}}},
       4,
       [](const Tensors& t, int64_t o, int64_t i, int64_t y, int64_t x) {
         return t[".lokr_w1"](o / 3, i / 2) * sum2(4, [&](int64_t a, int64_t b) {
                  return t[".lokr_t2"](a, b, y, x) * t[".lokr_w2_b"](b, i % 2) * t[".lokr_w2_a"](a, o % 3);
                });
       }},
      {"difference, linear",
       kLinear,
       {{".diff", {6, 35}}},
       0,
       [](const Tensors& t, int64_t o, int64_t i, int64_t, int64_t) { return t[".diff"](o, i); }},
      {"difference, 3x3",
       kConv,
       {{".diff", {6, 10, 3, 3}}},
       0,
       [](const Tensors& t, int64_t o, int64_t i, int64_t y, int64_t x) { return t[".diff"](o, i, y, x); }},
  };
  return cases;
}

inline std::string module_of(const std::string& layer) {
  std::string module = "lora_unet_" + layer;
  std::replace(module.begin() + 10, module.end(), '.', '_');
  return module;
}

inline TensorSource file_of(const std::string& layer, const std::map<std::string, Dims>& tensors,
                            const std::string& prefix = "file") {
  TensorIndex index;
  for (const auto& [ending, dims] : tensors) index[module_of(layer) + ending] = {DType::f32, dims};
  return synthetic(prefix, index);
}

inline Lora open_for(TensorSource source, const TensorIndex& unet = network()) {
  const LoraNetwork networks[] = {{LoraPart::unet, unet}};
  return open_lora(std::move(source), networks);
}

}  // namespace ipa::test
