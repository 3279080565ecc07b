#include "models/conditioning.h"

#include "models/blocks.h"

namespace ipa {

Kv Conditioning::text(Builder& b, int width) const {
  if (context.id != kNone) return {b.linear("to_k", context, width, false), b.linear("to_v", context, width, false)};
  const Shape shape{batch, 1, text_tokens, width};
  return {b.input(b.path("text_k"), shape), b.input(b.path("text_v"), shape)};
}

ImageKv Conditioning::image(Builder& b, int prompt, const Value& x) const {
  const std::string name = "image" + std::to_string(prompt);
  const Shape shape{batch, 1, image_prompts[prompt].tokens, x.shape.c};
  ImageKv kv{b.input(b.path(name + "_k"), shape),
             b.input(b.path(name + "_v"), shape),
             scales(b),
             scale_cell(visited, prompt),
             {}};
  if (image_prompts[prompt].masked) {
    const std::string grid = std::to_string(x.shape.h) + "x" + std::to_string(x.shape.w);
    kv.mask = b.input("mask" + std::to_string(prompt) + "." + grid, {1, x.shape.h, x.shape.w, 1});
  }
  return kv;
}

Value Conditioning::time(Builder& b, int width) const { return b.input(b.path("time"), {time_rows, 1, 1, width}); }

Value Conditioning::add_control(Builder& b, Value x, const std::string& name) const {
  return control ? b.add_scaled(x, b.input("residual." + name, x.shape), scales(b), control_cell()) : x;
}

Value Conditioning::add_feature(Builder& b, Value x, const std::string& name) const {
  return b.add_scaled(x, b.input("feature." + name, x.shape), scales(b), feature_cell());
}

Value Conditioning::scales(Builder& b) const { return b.input("scales", {1, 1, 1, cells()}); }

namespace {

void record_text(Builder& b, const UNetConfig& unet, int64_t n, int64_t tokens, bool decoder) {
  const Value context = b.input("context", {n, 1, tokens, unet.context});
  for (const AttentionSite& site : attention_sites(unet)) {
    if (!decoder && site.path.starts_with("up_blocks.")) continue;
    const auto scope = b.enter(site.path);
    b.output(site.path + ".text_k", b.linear("to_k", context, site.width, false));
    b.output(site.path + ".text_v", b.linear("to_v", context, site.width, false));
  }
}

}  // namespace

void record_text_kv(Builder& b, const UNetConfig& unet, int64_t n, int64_t tokens) {
  record_text(b, unet, n, tokens, true);
}

void record_encoder_text_kv(Builder& b, const UNetConfig& unet, int64_t n, int64_t tokens) {
  record_text(b, unet, n, tokens, false);
}

Kv image_kv(Builder& b, Value x, int width, const ImageKvGains& gains) {
  const Shape& tokens = x.shape;
  Value k = b.linear("to_k_ip", x, width, false);  // [n, 1, tokens, C]
  Value v = b.linear("to_v_ip", x, width, false);
  if (gains.tokens.id != kNone) v = b.add_scaled(v, v, {}, 0, gains.tokens);
  if (gains.sites.id != kNone) {
    const Value mean = b.reduce(v, ReduceKind::mean, tokens.n, tokens.w, width, {tokens.n, 1, 1, width});
    k = b.add_scaled(k, k, gains.sites, gains.cell);
    v = b.add_scaled(v, v, gains.sites, gains.cell + 1);
    // The mean's own gain, on every token: v + gain * mean.
    const Value every = b.rearrange(mean, {tokens.n, tokens.w, width}, {width, 0, 1}, 0, v.shape);
    v = b.add_scaled(v, every, gains.sites, gains.cell + 2);
  }
  return {k, v};
}

void record_image_kv(Builder& b, const UNetConfig& unet, const AdapterInfo& adapter, int64_t n, int64_t tokens,
                     const ImageKvOptions& options) {
  const Value x = b.input("tokens", {n, 1, tokens, adapter.context});
  const std::vector<AttentionSite> sites = attention_sites(unet);
  ImageKvGains gains;
  if (options.site_gains) gains.sites = b.input("site_gains", {1, 1, 1, static_cast<int64_t>(3 * sites.size())});
  if (options.token_gains) gains.tokens = b.input("value_gain", {1, 1, tokens, 1});
  for (const AttentionSite& site : sites) {
    const auto scope = b.enter("ip_adapter." + std::to_string(site.file_index));
    const Kv kv = image_kv(b, x, site.width, gains);
    b.output(site.path + ".image_k", kv.k);
    b.output(site.path + ".image_v", kv.v);
    gains.cell += 3;
  }
}

namespace {

// emb = MLP(sinusoid(t)) + MLP(pooled, sinusoids(time_ids)) -> silu(emb) [steps, 1, rows, E].
// silu(emb) is the same for all ResNets, so only their projections are left to each.
Value time_embedding(Builder& b, const UNetConfig& u, int64_t steps, int64_t rows) {
  Value t = b.sinusoid(b.input("timesteps", {steps, 1, 1, 1}), u.levels[0].width);  // cos first
  if (u.guidance_width > 0) {
    // trap: the guidance embedding has sin first and divides by half - 1, the timestep's by half.
    const Value w = b.sinusoid(b.input("guidance", {1, 1, 1, 1}), u.guidance_width, true, u.guidance_width / 2 - 1);
    t = b.add(t, b.linear("time_embedding.cond_proj", w, u.levels[0].width, false));
  }
  Value emb = b.tap("time_embedding", embedding_mlp(b, "time_embedding", t, u.time_width));  // [steps, 1, 1, E]
  if (u.added_conditioning()) {
    const Value ids = b.sinusoid(b.input("time_ids", {rows, 1, 1, u.time_ids}), u.time_id_width);
    const Value pooled = b.input("pooled", {rows, 1, 1, u.pooled_width});
    const Value added = b.tap("add_embedding",  // trap: pooled text first
                              embedding_mlp(b, "add_embedding", b.concat({pooled, ids}), u.time_width));
    const Shape all{steps, 1, rows, u.time_width};
    emb = b.rearrange(emb, {steps, rows, u.time_width}, {u.time_width, 0, 1}, 0, all);
    emb = b.add(emb, b.reshape(added, {1, 1, rows, u.time_width}));
  }
  return b.silu(emb);
}

void record_rows(Builder& b, const UNetConfig& u, int64_t steps, int64_t rows, bool decoder) {
  const Value emb = time_embedding(b, u, steps, u.added_conditioning() ? rows : 1);
  const auto resnets = [&](const std::string& block, int count, int width) {
    for (int j = 0; j < count; ++j) {
      const std::string resnet = block + ".resnets." + std::to_string(j);
      b.output(resnet + ".time", b.linear(resnet + ".time_emb_proj", emb, width));
    }
  };
  for (int i = 0; i < u.depth(); ++i) resnets("down_blocks." + std::to_string(i), u.layers, u.levels[i].width);
  resnets("mid_block", 2, u.levels.back().width);
  if (!decoder) return;
  for (int i = 0; i < u.depth(); ++i)
    resnets("up_blocks." + std::to_string(i), u.layers + 1, u.levels[u.depth() - 1 - i].width);
}

}  // namespace

void record_schedule(Builder& b, const UNetConfig& unet, int64_t steps, int64_t rows) {
  record_rows(b, unet, steps, rows, true);
}

void record_encoder_schedule(Builder& b, const UNetConfig& unet, int64_t steps, int64_t rows) {
  record_rows(b, unet, steps, rows, false);
}

}  // namespace ipa
