// Merged weights against the reference, and back to the file's bytes.
#include "weights/lora.h"

#include <deque>

#include "io/open.h"
#include "models/clip_text.h"
#include "models/conditioning.h"
#include "models/golden_model.h"
#include "models/unet.h"
#include "runtime/device.h"
#include "test.h"
#include "weights/synthetic.h"
#include "weights/tensor_values.h"

namespace {

using namespace ipa;
using namespace ipa::test;

std::vector<WeightWant> unet_wants(const UNetConfig& u) {
  std::vector<WeightWant> wants;
  const auto add = [&](auto record) {
    Builder b;
    record(b);
    for (WeightWant& want : b.finish().weights) wants.push_back(std::move(want));
  };
  Conditioning c;
  c.time_rows = c.batch = u.added_conditioning() ? 2 : 1;
  add([&](Builder& b) { record_unet(b, u, 16, 16, c); });
  add([&](Builder& b) { record_text_kv(b, u, 1, 77); });
  return wants;
}

std::vector<WeightWant> text_wants(const ClipTextConfig& c) {
  Builder b;
  record_clip_text(b, c, 1, 77, {.skip = 0, .final_norm = true, .pooled = false});
  return b.finish().weights;
}

// A golden network's weights, loaded.
struct LoadedNetwork {
  explicit LoadedNetwork(const std::string& prefix) : model(prefix), source(synthetic(prefix, model.index)) {
    const bool text = model.kind.starts_with("CLIPText");
    wants = text ? text_wants(detect_clip_text(model.index, model.config))
                 : unet_wants(detect_unet(model.index, model.config));
    store.emplace(device->backend, device->pool, wants, source);
  }
  size_t apply(LoraPart part, std::initializer_list<ActiveLora> active) {
    return apply_loras(*store, device->pool, part, state, std::span(active.begin(), active.size()));
  }
  // The digest of a store loaded from a file that has these merged weights.
  uint64_t digest_with(const std::map<std::string, std::vector<float>>& merged) {
    TensorSource changed = source;
    changed.read = [&, read = source.read](const std::string& name, uint64_t first, std::span<std::byte> out) {
      const auto at = merged.find(name);
      if (at == merged.end()) return read(name, first, out);
      const auto bytes = std::as_bytes(std::span(at->second)).subspan(first, out.size());
      std::copy(bytes.begin(), bytes.end(), out.begin());
    };
    return Store(device->backend, device->pool, wants, changed).digest();
  }

  GoldenModel model;
  TensorSource source;
  std::vector<WeightWant> wants;
  std::shared_ptr<Device> device = cpu_device("base", 2);
  std::optional<Store> store;
  LoraState state;
};

TensorSource open_golden(const std::string& file) { return open_weights((golden_folder() / file).string()); }

struct LoraCase {
  explicit LoraCase(const std::string& name) : golden(name) {
    if (golden.info.has("files"))
      for (size_t i = 0; i < golden.info["files"].array.size(); ++i) files.push_back(golden.info["files"][i].string);
    else
      files.push_back(golden.info["file"].string);
    const Json& s = golden.info["strength"];
    strengths = s.array.empty() ? std::vector{s.number} : s.numbers();
    if (golden.info.has("text"))
      part = LoraPart::text, network = golden.info["text"].string;
    else
      network = golden.info.has("unet") ? golden.info["unet"].string : golden.info["weights"]["unet"].string;
  }
  Golden golden;
  std::vector<std::string> files;
  std::vector<double> strengths;
  LoraPart part = LoraPart::unet;
  std::string network;
};

// A LoRA of one module, made up: [out, in] of `path`, rank 2.
TensorSource made_up(const std::string& module, int64_t out, int64_t in, TensorIndex more = {}) {
  more[module + ".lora_down.weight"] = {DType::f32, {2, in}};
  more[module + ".lora_up.weight"] = {DType::f32, {out, 2}};
  return synthetic("made-up", std::move(more));
}
const std::string kModule = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q";
const std::string kWeight = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.weight";

Lora open_unet_lora(TensorSource source, const TensorIndex& unet) {
  const LoraNetwork networks[] = {{LoraPart::unet, unet}};
  return open_lora(std::move(source), networks);
}

CrossAttentions sites_of(const GoldenModel& unet) {
  CrossAttentions sites;
  for (const AttentionSite& s : attention_sites(detect_unet(unet.index, unet.config))) sites[s.file_index] = s.path;
  return sites;
}

std::string error_text(const auto& f) {
  try {
    f();
  } catch (const Error& e) {
    return std::string(code_text(e.code)) + " " + e.what();
  }
  return "";
}

}  // namespace

TEST("merged weights agree with the reference, un-merged ones are the file's") {
  int cases = 0;
  for (const std::string& name : golden_names("lora", "")) {
    if (name.ends_with(".file") || !Golden(name).info.has("strength")) continue;
    const LoraCase c(name);
    LoadedNetwork network(c.network);
    const LoraNetwork networks[] = {{c.part, network.source.index}};
    ++cases;
    std::deque<Lora> loras;
    std::vector<ActiveLora> active;
    for (size_t i = 0; i < c.files.size(); ++i) {
      loras.push_back(open_lora(open_golden(c.files[i]), networks));
      EXPECT(loras.back().unmatched.empty() && loras.back().warnings.empty());
      active.push_back({&loras.back(), static_cast<float>(c.strengths[i])});
    }
    std::map<std::string, std::vector<float>> merged;
    for (const auto& [path, deltas] : loras[0].parts[c.part])
      merged[path] = merged_weight(*network.store, c.part, path, active);
    for (const auto& [key, tensor] : c.golden.tensors) {
      const std::string path = key.substr(4);  // "out/…"
      EXPECT(merged.contains(path));
      EXPECT_CLOSE(merged[path], tensor.f32(), c.golden.tolerance() * c.golden.rms(key), name + " " + path);
    }
    const uint64_t before = network.store->digest(), generation = network.store->generation();
    EXPECT_EQ(apply_loras(*network.store, network.device->pool, c.part, network.state, active), merged.size());
    EXPECT_EQ(network.store->digest(), network.digest_with(merged));
    EXPECT(network.store->digest() != before);
    EXPECT_EQ(network.store->generation(), generation + 1);
    EXPECT_EQ(network.apply(c.part, {}), merged.size());
    EXPECT_EQ(network.store->digest(), before);
  }
  EXPECT(cases >= 14);
}

TEST("the LoRA inside a FaceID adapter agrees with the reference") {
  int cases = 0;
  for (const std::string& name : golden_names("adapters", "")) {
    const Golden golden(name);
    if (!golden.info.has("lora_strength")) continue;
    ++cases;
    LoadedNetwork network(golden.info["weights"]["unet"].string);
    const GoldenModel adapter(golden.info["weights"]["adapters"][0].string);
    const Lora lora = adapter_lora(synthetic(adapter.prefix, adapter.index, adapter.factors), sites_of(network.model),
                                   network.source.index);
    EXPECT_EQ(lora.rank, static_cast<int64_t>(golden.info["lora_rank"].number));
    EXPECT_EQ(lora.modules(), size_t{16 * 2 * 4});
    const ActiveLora active[] = {{&lora, static_cast<float>(golden.info["lora_strength"].number)}};
    for (const auto& [key, tensor] : golden.tensors) {
      if (!key.starts_with("out/merged.")) continue;
      const std::string path = key.substr(11);
      EXPECT_CLOSE(merged_weight(*network.store, LoraPart::unet, path, active), tensor.f32(), 1e-5 * golden.rms(key),
                   path);
    }
  }
  EXPECT(cases >= 2);
}

TEST("an adapter without LoRA changes nothing, one for another UNet is refused") {
  LoadedNetwork network("unet15");
  const GoldenModel base("ipa-base15"), faceid("ipa-faceidxl");
  const Lora none = adapter_lora(synthetic("a", base.index), sites_of(network.model), network.source.index);
  EXPECT_EQ(none.modules(), size_t{0});
  EXPECT_EQ(network.apply(LoraPart::unet, {{&none, 1}}), size_t{0});
  EXPECT_CODE(adapter_lora(synthetic("a", faceid.index), sites_of(network.model), network.source.index),
              Code::ADAPTER_BASE_MISMATCH);
}

TEST("the same list does nothing, another list rewrites the union, strength 0 is not listed") {
  LoadedNetwork network("unet15");
  const TensorIndex& unet = network.source.index;
  const Lora a = open_unet_lora(made_up(kModule, 32, 32), unet);
  const Lora b =
      open_unet_lora(made_up("unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_out.0", 128, 128), unet);
  const uint64_t plain = network.store->digest();
  EXPECT_EQ(network.apply(LoraPart::unet, {{&a, 0}, {&b, 0}}), size_t{0});
  EXPECT_EQ(network.store->generation(), uint64_t{1});
  EXPECT_EQ(network.apply(LoraPart::unet, {{&a, 0.5f}}), size_t{1});
  const uint64_t with_a = network.store->digest(), generation = network.store->generation();
  EXPECT_EQ(network.apply(LoraPart::unet, {{&a, 0.5f}}), size_t{0});
  EXPECT_EQ(network.apply(LoraPart::unet, {{&b, 0}, {&a, 0.5f}}), size_t{0});
  EXPECT_EQ(network.store->generation(), generation);
  EXPECT_EQ(network.apply(LoraPart::unet, {{&b, 1}}), size_t{2});
  EXPECT_EQ(network.apply(LoraPart::unet, {{&a, 0.5f}}), size_t{2});
  EXPECT_EQ(network.store->digest(), with_a);
  EXPECT_EQ(network.apply(LoraPart::text, {{&a, 0.5f}}), size_t{1});  // nothing of it is for this part
  EXPECT_EQ(network.store->digest(), plain);
}

TEST("a merge that fails half way is made good by the next one") {
  LoadedNetwork network("unet15");
  TensorSource source = made_up(kModule, 32, 32);
  bool broken = false;
  source.read = [&broken, read = source.read](const std::string& name, uint64_t first, std::span<std::byte> out) {
    if (broken) fail(Code::MODEL_CHANGED, "the file changed", "load it again");
    read(name, first, out);
  };
  const Lora lora = open_unet_lora(source, network.source.index);
  const uint64_t plain = network.store->digest();
  broken = true;
  EXPECT_CODE(network.apply(LoraPart::unet, {{&lora, 1}}), Code::MODEL_CHANGED);
  EXPECT_EQ(network.apply(LoraPart::unet, {}), size_t{1});
  EXPECT_EQ(network.store->digest(), plain);
  broken = false;
  EXPECT_EQ(network.apply(LoraPart::unet, {{&lora, 1}}), size_t{1});
}

TEST("modules are found under every name they have in LoRA files") {
  const GoldenModel unet("unet15"), text("text");
  const LoraNetwork networks[] = {
      {LoraPart::unet, unet.index}, {LoraPart::text, text.index}, {LoraPart::text2, text.index}};
  const auto target = [&](const std::string& module, const std::string& down, const std::string& up, int64_t n) {
    TensorIndex index = {{module + down, {DType::f32, {2, n}}}, {module + up, {DType::f32, {n, 2}}}};
    const Lora lora = open_lora(synthetic("s", index), networks);
    std::string found;
    for (const auto& [part, deltas] : lora.parts)
      for (const auto& [path, list] : deltas) found += std::to_string(static_cast<int>(part)) + " " + path;
    return found;
  };
  const std::string block = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.";
  const std::string down = ".lora_down.weight", up = ".lora_up.weight", A = ".lora_A.weight", B = ".lora_B.weight";
  for (const char* spelled : {"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_out_0",
                              "lora_unet_input_blocks_1_1_transformer_blocks_0_attn1_to_out_0",
                              "down_blocks_0_attentions_0_transformer_blocks_0_attn1_out_proj"})
    EXPECT_EQ(target(spelled, down, up, 32), "0 " + block + "to_out.0.weight");
  for (const std::string prefix :
       {"unet.", "", "base_model.model.", "base_model.model.unet.", "diffusion_model.", "model.diffusion_model."})
    EXPECT_EQ(target(prefix + block + "to_q", A, B, 32), "0 " + block + "to_q.weight");
  for (const std::string prefix : {"diffusion_model.", "model.diffusion_model.", "base_model.model.diffusion_model."})
    EXPECT_EQ(target(prefix + "input_blocks.1.1.transformer_blocks.0.attn1.to_q", A, B, 32),
              "0 " + block + "to_q.weight");
  EXPECT_EQ(target(block + "to_q", ".lora_A.default.weight", ".lora_B.default.weight", 32),
            "0 " + block + "to_q.weight");
  EXPECT_EQ(target("unet." + block + "to_q", ".lora.down.weight", ".lora.up.weight", 32), "0 " + block + "to_q.weight");
  EXPECT_EQ(target("unet." + block + "processor.to_v", "_lora.down.weight", "_lora.up.weight", 32),
            "0 " + block + "to_v.weight");
  const std::string layer = "text_model.encoder.layers.1.self_attn.q_proj.weight";
  for (const char* spelled : {"lora_te_text_model_encoder_layers_1_self_attn_q_proj",
                              "lora_te1_text_model_encoder_layers_1_self_attn_q_proj"})
    EXPECT_EQ(target(spelled, down, up, 64), "1 " + layer);
  EXPECT_EQ(target("lora_te2_text_model_encoder_layers_1_self_attn_q_proj", down, up, 64), "2 " + layer);
  EXPECT_EQ(target("text_encoder.text_model.encoder.layers.1.self_attn.q_proj", ".lora_linear_layer.down.weight",
                   ".lora_linear_layer.up.weight", 64),
            "1 " + layer);
  EXPECT_EQ(
      target("text_encoder_2.text_model.encoder.layers.1.self_attn.to_q", "_lora.down.weight", "_lora.up.weight", 64),
      "2 " + layer);
}

TEST("an alpha of 0 or none means the rank; a configuration's pattern overrides its alpha") {
  const GoldenModel unet("unet15");
  const auto scale = [&](TensorSource source) {
    return open_unet_lora(std::move(source), unet.index).parts[LoraPart::unet].at(kWeight)[0].scale;
  };
  TensorSource zero = made_up(kModule, 32, 32, {{kModule + ".alpha", {DType::f32, {}}}});
  EXPECT(scale(zero) != 1);
  zero.read = [read = zero.read](const std::string& name, uint64_t first, std::span<std::byte> out) {
    if (name.ends_with(".alpha"))
      std::fill(out.begin(), out.end(), std::byte{0});
    else
      read(name, first, out);
  };
  EXPECT_EQ(scale(zero), 1.0f);
  TensorSource peft = made_up(kModule, 32, 32);
  EXPECT_EQ(scale(peft), 1.0f);
  peft.metadata["lora_adapter_metadata"] = R"({"unet.r": 2, "unet.lora_alpha": 6})";
  EXPECT_EQ(scale(peft), 3.0f);
  peft.metadata["lora_adapter_metadata"] =
      R"({"unet": {"lora_alpha": 6, "alpha_pattern": {"attn1.to_q": 8, "attn2.to_q": 1}}})";
  EXPECT_EQ(scale(peft), 4.0f);
  peft.metadata["lora_adapter_metadata"] = "{";
  EXPECT_CODE(scale(peft), Code::MODEL_HEADER_INVALID);
}

TEST("a LoRA that does not fit says so: nothing is an error, a part a warning with the ratio") {
  const GoldenModel unet("unet15");
  EXPECT_CODE(open_unet_lora(made_up("lora_unet_nowhere", 32, 32), unet.index), Code::LORA_KEYS_UNMATCHED);
  EXPECT_CODE(open_unet_lora(synthetic("s", {{"conv.weight", {DType::f32, {2}}}}), unet.index),
              Code::LORA_KEYS_UNMATCHED);
  EXPECT_CODE(open_unet_lora(synthetic("s", {}), unet.index), Code::LORA_KEYS_UNMATCHED);
  EXPECT_CODE(open_unet_lora(made_up(kModule, 64, 64), unet.index), Code::LORA_KEYS_UNMATCHED);  // a wider model's
  const TensorIndex strange = {{"lora_unet_nowhere.lora_down.weight", {DType::f32, {2, 4}}},
                               {"lora_unet_nowhere.lora_up.weight", {DType::f32, {4, 2}}}};
  const Lora half = open_unet_lora(made_up(kModule, 32, 32, strange), unet.index);
  EXPECT_EQ(half.modules(), size_t{1});
  EXPECT_EQ(half.unmatched.size(), size_t{1});
  EXPECT(half.warnings.size() == 1 && half.warnings[0].second.find("1 of 2 modules") != std::string::npos);
  const std::string text = error_text([&] {
    open_unet_lora(made_up("lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k", 32, 2048),
                   unet.index);
  });
  EXPECT(text.starts_with("LORA_KEYS_UNMATCHED") && text.find("2048") != std::string::npos &&
         text.find("64") != std::string::npos);
}

TEST("damaged factors are refused by name") {
  const GoldenModel unet("unet15");
  TensorIndex lone = {{kModule + ".lora_down.weight", {DType::f32, {2, 32}}}};
  EXPECT_CODE(open_unet_lora(synthetic("s", lone), unet.index), Code::TENSOR_MISSING);
  lone[kModule + ".lora_up.weight"] = {DType::f32, {32, 3}};
  EXPECT_CODE(open_unet_lora(synthetic("s", lone), unet.index), Code::TENSOR_SHAPE);
  lone[kModule + ".lora_up.weight"] = {DType::f32, {32, 2}};
  lone[kModule + ".lora_down.weight"] = {DType::f32, {0, 32}};
  EXPECT_CODE(open_unet_lora(synthetic("s", lone), unet.index), Code::TENSOR_SHAPE);
  TensorSource nan = made_up(kModule, 32, 32);
  nan.read = [](const std::string&, uint64_t, std::span<std::byte> out) {
    std::fill(out.begin(), out.end(), std::byte{0xff});
  };
  EXPECT_CODE(open_unet_lora(nan, unet.index), Code::TENSOR_NONFINITE);
}
