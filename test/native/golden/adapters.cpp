// Decoupled attention in a UNet: image prompts with a scale per site, and the LoRA inside FaceID adapters.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "golden/compare.h"
#include "golden/kinds.h"
#include "golden/unet_case.h"
#include "models/adapters.h"
#include "models/conditioning.h"
#include "models/image_projection.h"
#include "plan/builder.h"
#include "runtime/combine.h"
#include "runtime/image_prompt.h"
#include "runtime/recorders.h"
#include "weights/lora.h"
#include "weights/synthetic.h"

namespace ipa::golden {

namespace {

using test::Golden;
using test::GoldenModel;

struct AdapterCase {
  AdapterCase(Level& level, const std::string& prefix, const UNetConfig& unet)
      : model(prefix), info(detect_adapter(model.index, prefix)) {
    check_fit(info, unet, prefix);
    network = std::make_unique<Network>(level.device, adapter_plans(info, unet), weights(model), LoadOptions{});
  }
  GoldenModel model;
  AdapterInfo info;
  std::unique_ptr<Network> network;
};

// Of embeds [N, images, E] or [N, images, T, E] the images from `first` on: a row's tokens follow each other.
Tensor image_tokens(AdapterCase& adapter, const test::GoldenTensor& embeds, int64_t first, int64_t images) {
  const Dims& d = embeds.dims;
  const std::vector<float> values = embeds.f32();
  const int64_t tokens = d.size() == 4 ? d[2] : 1, size = tokens * d.back();
  Tensor all;
  for (int64_t row = 0; row < d[0]; ++row) {
    ProjectInput in;
    for (int64_t image = first; image < first + images; ++image) {
      const auto from = values.begin() + (row * d[1] + image) * size;
      in.features.push_back({{1, 1, tokens, d.back()}, {from, from + size}});
    }
    Tensor one = project(*adapter.network, adapter.info, in, StopFlag{});
    if (row == 0) all.shape = one.shape;
    all.data.insert(all.data.end(), one.data.begin(), one.data.end());
  }
  all.shape.n = d[0];
  return all;
}

// Features of several pictures combined, then projected; `concat` has a row of tokens per picture, and the
// unconditional side repeats its one vector for each.
void check_combine(Level& level, const std::string& name, Verdict& verdict) {
  const Golden g(name);
  const GoldenModel model(g.info["weights"].string);
  const Projector projector = detect_projector(model.index, "image_proj.");
  const auto rows_of = [&](const std::string& key) {
    const int64_t width = g[key].dims.at(1);
    const std::vector<float> all = g[key].f32();
    std::vector<Tensor> rows;
    for (auto row = all.begin(); row != all.end(); row += width) rows.push_back({{1, 1, 1, width}, {row, row + width}});
    return rows;
  };
  const std::vector<Tensor> pictures = rows_of("in/embeds"), negative = rows_of("in/negative");
  const auto tokens = [&](const std::vector<Tensor>& features) {
    std::vector<float> all;
    for (const Tensor& one : features) {
      Builder b;
      record_projector(b, projector, {}, "image_proj");
      const std::vector<float> more =
          test::run(level.machine, b.finish(), {{"image_embeds", one.data}}, weights(model), Compute::f32).at("tokens");
      all.insert(all.end(), more.begin(), more.end());
    }
    return all;
  };
  for (const auto& [key, tensor] : g.tensors) {
    if (!key.starts_with("out/")) continue;
    const size_t dot = key.rfind('.');
    const std::string mode = key.substr(4, dot - 4), side = key.substr(dot + 1);
    std::vector<Tensor> features = pictures;
    if (const std::optional<Combine> how = combine_of(mode))
      features = {combine(*how, pictures, std::vector<float>(pictures.size(), 1), false)};
    if (side == "uncond") features.assign(features.size(), negative.at(0));
    compare(verdict, g, key, side == "embeds" ? features.at(0).data : tokens(features));
  }
}

// in/masks.<adapter> [1, masks, H, W].
std::vector<RegionMask> region_masks(const Golden& g, size_t adapter) {
  const std::string key = "in/masks." + std::to_string(adapter);
  if (!g.has(key)) return {};
  // The reference is diffusers, by its own rule unless the case says another.
  const MaskMode mode = g.info.has("mask_mode") && g.info["mask_mode"].string.starts_with("bilinear to the exact grid")
                            ? MaskMode::linear
                            : MaskMode::diffusers;
  const Dims& d = g[key].dims;
  const std::vector<float> values = g[key].f32();
  const std::ptrdiff_t size = d[2] * d[3];
  std::vector<RegionMask> masks;
  for (auto from = values.begin(); from != values.end(); from += size)
    masks.push_back({static_cast<int>(d[3]), static_cast<int>(d[2]), {from, from + size}, mode});
  return masks;
}

// The scale of an adapter, or of each of its images.
void append_scales(std::vector<float>& scales, const test::Json& given) {
  if (given.array.empty()) scales.push_back(static_cast<float>(given.number));
  for (const test::Json& scale : given.array) scales.push_back(static_cast<float>(scale.number));
}

// Keys and values of one attention scaled in four ways; the text's term is left out, the output is not projected.
void check_embeds_scaling(Level& level, const std::string& name, Verdict& verdict) {
  const Golden g(name);
  const test::Json& config = g.info["config"];
  const int width = static_cast<int>(config["C"].number), heads = static_cast<int>(config["heads"].number);
  const std::vector<double> grid = config["grid"].numbers();
  TensorIndex index;  // the pair alone
  for (const test::Json& weight : g.info["weight_names"].array)
    index[weight.string].dims = {width, static_cast<int64_t>(config["D"].number)};
  const TensorSource source = synthetic(g.info["weights"].string, index);
  const std::string pair = g.info["weight_names"][0].string;  // "1.to_k_ip.weight"
  const Tensor q = value(g["in/q"]), cond = value(g["in/cond"]);
  Tensor tokens = value(g["in/uncond"]);
  tokens.shape.n = 2;
  tokens.data.insert(tokens.data.end(), cond.data.begin(), cond.data.end());
  const Dims& m = g["in/mask"].dims;
  const RegionMask mask{static_cast<int>(m[2]), static_cast<int>(m[1]), g["in/mask"].f32(), MaskMode::comfy};
  const GridSize size{static_cast<int64_t>(grid[0]), static_cast<int64_t>(grid[1])};
  const std::vector<float> region = mask_grid(mask, size, size);
  for (const auto& [key, tensor] : g.tensors) {
    if (!key.starts_with("out/")) continue;
    const size_t bar = key.find('|');
    const std::string mode = key.substr(4, bar - 4);
    const float weight = std::stof(key.substr(bar + 1));  // "0.8|mask"
    const float kappa = mode.ends_with("C penalty") ? static_cast<float>(width) / 1280.0f : 1.0f,
                gain = weight * kappa - 1;
    std::vector<float> gains = {gain, gain, 0};
    if (mode.starts_with("K+mean(V)")) gains = {gain, 0, gain};
    const bool outside = mode == "V only";
    Builder b;
    const auto scope = b.enter(pair.substr(0, pair.find('.')));
    const Value x = b.input("tokens", tokens.shape);
    const Kv kv = image_kv(b, x, width, outside ? ImageKvGains{} : ImageKvGains{{}, b.input("gains", {1, 1, 1, 3}), 0});
    b.output("y", b.attend(b.input("q", q.shape), kv.k, kv.v, heads));
    test::Tensors in = {{"tokens", tokens.data}, {"q", q.data}};
    if (!outside) in["gains"] = gains;
    std::vector<float> y = test::run(level.machine, b.finish(), in, source, Compute::f32).at("y");
    for (size_t i = 0; i < y.size(); ++i) {
      if (outside) y[i] *= weight;
      if (key.ends_with("|mask")) y[i] *= region[i / static_cast<size_t>(width) % region.size()];
    }
    compare(verdict, g, key, y);
  }
}

void check_image_prompts(Level& level, const std::string& name, Verdict& verdict) {
  const Golden g(name);
  UNetCase unet(level, g, GoldenModel(unet_prefix(g)));
  const std::vector<test::Json>& prefixes = g.info["weights"]["adapters"].array;
  std::vector<AdapterCase> adapters;
  std::vector<ImagePromptTokens> prompts;
  for (const test::Json& prefix : prefixes) {
    AdapterCase& adapter = adapters.emplace_back(level, prefix.string, unet.config());
    const size_t i = adapters.size() - 1;
    const test::GoldenTensor& embeds = g["in/embeds." + std::to_string(i)];
    const std::vector<RegionMask> masks = region_masks(g, i);
    if (masks.empty()) {
      prompts.push_back({adapter.network.get(), image_tokens(adapter, embeds, 0, embeds.dims[1])});
      continue;
    }
    // Images with a mask each attend each for itself.
    const int64_t share = embeds.dims[1] / static_cast<int64_t>(masks.size());
    for (size_t m = 0; m < masks.size(); ++m)
      prompts.push_back(
          {adapter.network.get(), image_tokens(adapter, embeds, static_cast<int64_t>(m) * share, share), masks[m]});
  }
  std::vector<float> scales;
  for (const AttentionSite& site : attention_sites(unet.config()))
    for (size_t i = 0; i < prefixes.size(); ++i) append_scales(scales, g.info["scale_per_layer"][site.path][i]);
  compare(verdict, g, unet.eps(std::move(prompts), scales), unet.computed_with());
}

CrossAttentions cross_attentions(const UNetConfig& unet) {
  CrossAttentions sites;
  for (const AttentionSite& site : attention_sites(unet)) sites[site.file_index] = site.path;
  return sites;
}

// Tokens are given; the adapter's own LoRA is merged into the UNet.
void check_inner_lora(Level& level, const std::string& name, Verdict& verdict) {
  const Golden g(name);
  UNetCase unet(level, g, GoldenModel(unet_prefix(g)));
  AdapterCase adapter(level, g.info["weights"]["adapters"][0].string, unet.config());
  const float strength = static_cast<float>(g.info["lora_strength"].number);
  const float scale = static_cast<float>(g.info["scale"].number);
  Store& store = unet.network().store();
  const Lora lora = adapter_lora(weights(adapter.model), cross_attentions(unet.config()), store.source().index);
  const std::vector<ActiveLora> active = {{&lora, strength}};
  LoraState state;
  const uint64_t before = store.digest();
  apply_loras(store, level.device->pool, LoraPart::unet, state, active);

  test::Tensors got = unet.eps({{adapter.network.get(), value(g["in/tokens"])}},
                               std::vector<float>(attention_sites(unet.config()).size(), scale));
  for (const auto& [key, tensor] : g.tensors) {
    if (!key.starts_with("out/merged.")) continue;
    got[key.substr(4)] = merged_weight(store, LoraPart::unet, key.substr(std::string("out/merged.").size()), active);
    compare(verdict, g, key, got[key.substr(4)]);  // merging takes f32 whatever the network computes with
  }
  compare(verdict, g, got, unet.computed_with());
  apply_loras(store, level.device->pool, LoraPart::unet, state, {});
  verdict.require(store.digest() == before, "the UNet's weights differ after the LoRA was taken out again");
}

}  // namespace

void add_adapters(Kinds& kinds) {
  kinds["adapter/combine"] = {check_combine};
  kinds["adapter/embeds-scaling"] = {check_embeds_scaling};
  kinds["adapter/image-prompts"] = {check_image_prompts};
  kinds["adapter/masks"] = {check_image_prompts};
  kinds["adapter/inner-lora"] = {check_inner_lora};
}

}  // namespace ipa::golden
