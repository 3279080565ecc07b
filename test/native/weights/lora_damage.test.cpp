// LoRA files of every form with something missing, misshapen or too much.
#include <algorithm>

#include "test.h"
#include "weights/lora_form_cases.h"

namespace {

using namespace ipa;
using namespace ipa::test;

std::string error_text(const auto& f) {
  try {
    f();
  } catch (const Error& e) {
    return std::string(code_text(e.code)) + " " + e.what();
  }
  return "no error";
}

// The file with one tensor of nothing but NaN.
TensorSource with_nan(TensorSource source, const std::string& tensor) {
  source.read = [tensor, read = source.read](const std::string& name, uint64_t first, std::span<std::byte> out) {
    if (name != tensor) return read(name, first, out);
    std::fill(out.begin(), out.end(), std::byte{0xff});
  };
  return source;
}

}  // namespace

TEST("a tensor that a form needs and that is missing, misshapen or NaN is named") {
  for (const FormCase& c : form_cases())
    for (const auto& [ending, dims] : c.tensors) {
      const std::string tensor = module_of(c.layer) + ending, what = c.what + (" " + ending);
      const std::string text = error_text([&] { open_for(with_nan(file_of(c.layer, c.tensors), tensor)); });
      EXPECT(text.starts_with("TENSOR_NONFINITE") && text.find(tensor) != std::string::npos);

      std::map<std::string, Dims> damaged = c.tensors;
      damaged[ending] = {};
      const std::string scalar = error_text([&] { open_for(file_of(c.layer, damaged)); });
      EXPECT(scalar.starts_with("TENSOR_SHAPE") && scalar.find(tensor) != std::string::npos);
      damaged[ending] = dims;
      damaged[ending][0] = 0;
      EXPECT_CODE(open_for(file_of(c.layer, damaged)), Code::TENSOR_SHAPE);
      if (c.tensors.size() == 1 || ending == ".lora_mid.weight" || ending == ".lokr_t2") continue;  // not needed
      damaged.erase(ending);
      const std::string missing = error_text([&] { open_for(file_of(c.layer, damaged)); });
      EXPECT(missing.starts_with("TENSOR_MISSING") && missing.find(module_of(c.layer)) != std::string::npos);
    }
}

TEST("factors whose shapes do not go together are refused by name") {
  struct Row {
    std::string layer;
    std::map<std::string, Dims> tensors;
    const char* named;
  };
  const std::vector<Row> rows = {
      {kLinear, {{".lora_down.weight", {4, 35}}, {".lora_up.weight", {6, 3}}}, ".lora_up.weight"},
      {kConv,
       {{".lora_down.weight", {4, 10}}, {".lora_up.weight", {6, 4}}, {".lora_mid.weight", {4, 3, 3, 3}}},
       ".lora_mid.weight"},
      {kLinear,
       {{".hada_w1_a", {6, 4}}, {".hada_w1_b", {4, 35}}, {".hada_w2_a", {6, 3}}, {".hada_w2_b", {4, 35}}},
       ".hada_w2_a"},
      {kLinear,
       {{".hada_w1_a", {6, 4}}, {".hada_w1_b", {4, 35}}, {".hada_w2_a", {6, 4}}, {".hada_w2_b", {4, 34}}},
       ".hada_w2_b"},
      {kConv,
       {{".hada_t1", {4, 4, 3, 3}},
        {".hada_w1_a", {6, 4}},
        {".hada_w1_b", {4, 10}},  // w1_a lies the other way
        {".hada_t2", {4, 4, 3, 3}},
        {".hada_w2_a", {4, 6}},
        {".hada_w2_b", {4, 10}}},
       ".hada_w1_a"},
      {kLinear, {{".lokr_w1", {2, 7}}, {".lokr_w2_a", {3, 4}}, {".lokr_w2_b", {5, 5}}}, ".lokr_w2_a"},
      {kConv, {{".lokr_w1", {2, 5, 3, 3}}, {".lokr_w2", {3, 2}}}, ".lokr_w1"},
      {kConv,
       {{".lokr_w1", {2, 5}}, {".lokr_t2", {4, 4, 9}}, {".lokr_w2_a", {4, 3}}, {".lokr_w2_b", {4, 2}}},
       ".lokr_t2"},
      {kConv, {{".lokr_w1", {int64_t{1} << 40, 2}}, {".lokr_w2", {int64_t{1} << 40, 1}}}, ".lokr_w1"},
      {kLinear, {{".diff", {6, 35}}, {".dora_scale", {35}}}, ".dora_scale"},
      {kLinear, {{".diff", {6, 35}}, {".dora_scale", {1, 6}}}, ".dora_scale"},
      {kLinear, {{".diff", {6, 35}}, {".dora_scale", {35, 1}}}, ".dora_scale"},
      {kLinear, {{".diff", {6, 35}}, {".lora_magnitude_vector", {1, 35}}}, ".lora_magnitude_vector"},
      {kNorm, {{".diff", {10}}, {".dora_scale", {10}}}, ".dora_scale"},
      {kLinear, {{".lora_down.weight", {4, 35}}, {".lora_up.weight", {6, 4}}, {".alpha", {2}}}, ".alpha"},
      {kLinear, {{".diff_b", {0}}}, ".diff_b"},
  };
  for (const Row& row : rows) {
    const std::string text = error_text([&] { open_for(file_of(row.layer, row.tensors)); });
    EXPECT(text.starts_with("TENSOR_SHAPE") && text.find(module_of(row.layer) + row.named + ":") != std::string::npos);
    if (!text.starts_with("TENSOR_SHAPE")) EXPECT_EQ(text, row.named);
  }
}

TEST("a module with tensors of two forms, or of none, is refused") {
  const auto text = [](std::map<std::string, Dims> tensors) {
    return error_text([&] { open_for(file_of(kLinear, tensors)); });
  };
  std::map<std::string, Dims> both = {{".lora_down.weight", {4, 35}}, {".lora_up.weight", {6, 4}}, {".diff", {6, 35}}};
  EXPECT(text(both).find("both LoRA and full difference") != std::string::npos);
  EXPECT(text(both).starts_with("MODEL_FORMAT_UNSUPPORTED"));
  EXPECT(
      text({{".lokr_w1", {2, 7}}, {".lokr_w1_a", {2, 4}}, {".lokr_w2", {3, 5}}}).find("both lokr_w1 and lokr_w1_a") !=
      std::string::npos);
  EXPECT(
      text({{".lokr_w1", {2, 7}}, {".lokr_w2", {3, 5}}, {".lokr_t2", {4, 4, 3, 3}}}).find("both lokr_w2 and lokr_t2") !=
      std::string::npos);
  EXPECT(text({{".diff", {6, 35}}, {".dora_scale", {6, 1}}, {".lora_magnitude_vector", {6}}})
             .find("both dora_scale and lora_magnitude_vector") != std::string::npos);
  // Two adapters in one file, or one tensor under two names.
  std::map<std::string, Dims> two = {{".lora_A.a.weight", {4, 35}}, {".lora_B.a.weight", {6, 4}}};
  two[".lora_A.b.weight"] = {4, 35}, two[".lora_B.b.weight"] = {6, 4};
  EXPECT(text(two).starts_with("MODEL_FORMAT_UNSUPPORTED") && text(two).find(".lora_A.b.weight") != std::string::npos);
  EXPECT(text({{".diff_b", {6}}, {".b_norm", {6}}}).starts_with("MODEL_FORMAT_UNSUPPORTED"));
  for (const char* lone :
       {".dora_scale", ".lora_magnitude_vector", ".lora_B.bias", ".alpha", ".lora_mid.weight", ".hada_t1", ".lokr_t2"})
    EXPECT(text({{lone, {6, 1}}}).starts_with("TENSOR_MISSING"));
  for (const char* other : {".oft_blocks", ".boft_R", ".lokr_t1", ".hada_w3_a"}) {
    EXPECT(text({{other, {6, 1}}}).starts_with("MODEL_FORMAT_UNSUPPORTED"));
    EXPECT(text({{other, {6, 1}}}).find(module_of(kLinear) + other) != std::string::npos);
  }
}

TEST("a change that is for another layer, in any form, is left out whole") {
  for (const FormCase& c : form_cases()) EXPECT_CODE(open_for(file_of(kNoBias, c.tensors)), Code::LORA_KEYS_UNMATCHED);
  constexpr int64_t kLong = int64_t{1} << 33;  // rows · columns are beyond 2^63
  EXPECT_CODE(open_for(file_of(kLinear, {{".lora_down.weight", {1, kLong}}, {".lora_up.weight", {kLong, 1}}})),
              Code::LORA_KEYS_UNMATCHED);
  // A bias where the layer has none, or one of another length: the weight's part is not merged alone.
  EXPECT_CODE(open_for(file_of(kNoBias, {{".diff", {7, 5}}, {".diff_b", {7}}})), Code::LORA_KEYS_UNMATCHED);
  EXPECT_CODE(open_for(file_of(kLinear, {{".diff", {6, 35}}, {".diff_b", {5}}})), Code::LORA_KEYS_UNMATCHED);
}
