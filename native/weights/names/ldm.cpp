#include "weights/names/ldm.h"

#include <optional>

#include "core/error.h"
#include "io/open.h"
#include "weights/names/transformers.h"
#include "weights/rename.h"

namespace ipa {

namespace {

struct Marks {
  Component component;
  const char* what;
  std::vector<const char*> prefixes;  // the first under which a name begins with one of `starts` counts
  std::vector<const char*> starts;
};

const Marks& marks_of(Component component) {
  static const std::vector<Marks> all = {
      {Component::unet,
       "UNet",
       {"model.diffusion_model.", "diffusion_model.", "unet.", ""},
       {"output_blocks.", "up_blocks."}},
      {Component::vae,
       "VAE",
       {"first_stage_model.", "vae.", ""},
       {"decoder.mid.", "decoder.up.", "decoder.mid_block.", "decoder.up_blocks."}},
      {Component::text,
       "text encoder (CLIP-L)",
       {"cond_stage_model.transformer.", "conditioner.embedders.0.transformer.", "text_encoder.", ""},
       {"text_model.", "embeddings.token_embedding.", "token_embedding."}},
      {Component::text2,
       "second text encoder (OpenCLIP bigG)",
       {"conditioner.embedders.1.model.", "text_encoder_2.", ""},
       {"text_model.", "embeddings.token_embedding.", "token_embedding."}},
      {Component::controlnet,
       "ControlNet",
       {"control_model.", "controlnet.", ""},
       {"input_hint_block.", "controlnet_cond_embedding."}},
  };
  for (const Marks& marks : all)
    if (marks.component == component) return marks;
  return all[0];
}

std::optional<std::string> prefix_of(const TensorIndex& index, Component component) {
  const Marks& marks = marks_of(component);
  for (const char* prefix : marks.prefixes)
    for (const char* start : marks.starts)
      if (has_prefix(index, std::string(prefix) + start)) return prefix;
  return std::nullopt;
}

// The component's own tensors, prefix removed.
TensorSource component_of(TensorSource source, Component component) {
  source = without_nesting(std::move(source));
  const std::optional<std::string> prefix = prefix_of(source.index, component);
  if (!prefix)
    fail(Code::TENSOR_MISSING, source.label + " holds no " + marks_of(component).what,
         "give a file or folder that has it, or this part as a file of its own", {{"path", source.label}});
  return within(std::move(source), *prefix);
}

TensorSource translated(TensorSource source, const std::vector<ModuleName>& modules,
                        ModuleMap::To to_dialect = ModuleMap::To::diffusers) {
  const ModuleMap map(modules, to_dialect);
  std::vector<Rename> renames;
  for (const auto& [name, info] : source.index) {
    std::string to = map(name);
    renames.push_back({to.empty() ? name : std::move(to), name});
  }
  return renamed(std::move(source), renames);
}

// What the numbers in UNet names depend on.
struct Topology {
  int layers = 0;               // ResNets per down block; an up block has one more
  std::vector<bool> attention;  // per level, from full resolution down
  int depth() const { return static_cast<int>(attention.size()); }
};

Topology topology(const TensorIndex& index) {
  Topology t;
  if (const int depth = count_prefixes(index, "down_blocks."); depth > 0) {
    t.layers = count_prefixes(index, "down_blocks.0.resnets.");
    for (int i = 0; i < depth; ++i)
      t.attention.push_back(has_prefix(index, numbered("down_blocks.", i, ".attentions.")));
    return t;
  }
  // input_blocks: 0 is conv_in, then per level its ResNets and one downsampler (`.0.op`), none at the last level.
  const int blocks = count_prefixes(index, "input_blocks.");
  int stride = 1;  // blocks of a level
  while (stride < blocks && !has_prefix(index, numbered("input_blocks.", stride, ".0.op."))) ++stride;
  t.layers = stride - 1;
  for (int first = 1; first < blocks; first += stride)
    t.attention.push_back(has_prefix(index, numbered("input_blocks.", first, ".1.")));
  return t;
}

void add_resnet(std::vector<ModuleName>& to, const std::string& diffusers, const std::string& ldm) {
  constexpr const char* kInner[][2] = {{".norm1", ".in_layers.0"},          {".conv1", ".in_layers.2"},
                                       {".time_emb_proj", ".emb_layers.1"}, {".norm2", ".out_layers.0"},
                                       {".conv2", ".out_layers.3"},         {".conv_shortcut", ".skip_connection"}};
  for (const auto& inner : kInner) to.push_back({diffusers + inner[0], ldm + inner[1]});
}

void add_encoder(std::vector<ModuleName>& to, const Topology& t) {
  for (int b = 0; b < t.depth(); ++b) {
    const std::string down = numbered("down_blocks.", b), first = "input_blocks.";
    const int start = 1 + b * (t.layers + 1);
    for (int l = 0; l < t.layers; ++l) {
      add_resnet(to, numbered(down + ".resnets.", l), numbered(first, start + l, ".0"));
      if (t.attention[b]) to.push_back({numbered(down + ".attentions.", l), numbered(first, start + l, ".1")});
    }
    if (b + 1 < t.depth()) to.push_back({down + ".downsamplers.0.conv", numbered(first, start + t.layers, ".0.op")});
  }
  add_resnet(to, "mid_block.resnets.0", "middle_block.0");
  to.push_back({"mid_block.attentions.0", "middle_block.1"});
  add_resnet(to, "mid_block.resnets.1", "middle_block.2");
}

void add_decoder(std::vector<ModuleName>& to, const Topology& t) {
  for (int b = 0; b < t.depth(); ++b) {
    const std::string up = numbered("up_blocks.", b), first = "output_blocks.";
    const int start = b * (t.layers + 1);
    const bool attention = t.attention[t.depth() - 1 - b];
    for (int l = 0; l <= t.layers; ++l) {
      add_resnet(to, numbered(up + ".resnets.", l), numbered(first, start + l, ".0"));
      if (attention) to.push_back({numbered(up + ".attentions.", l), numbered(first, start + l, ".1")});
    }
    // trap: the upsampler comes after the attention, so it is 2 where there is one and 1 where there is none.
    if (b + 1 < t.depth())
      to.push_back({up + ".upsamplers.0.conv", numbered(first, start + t.layers, attention ? ".2.conv" : ".1.conv")});
  }
}

// ControlNet: the hint network's convolutions stand at even numbers, activations between them.
void add_control(std::vector<ModuleName>& to, const TensorIndex& index, const Topology& t) {
  int hints = count_prefixes(index, "controlnet_cond_embedding.blocks.") + 2;
  if (has_prefix(index, "input_hint_block."))
    for (hints = 0; has_prefix(index, numbered("input_hint_block.", 2 * hints, "."));) ++hints;
  to.push_back({"controlnet_cond_embedding.conv_in", "input_hint_block.0"});
  for (int i = 1; i + 1 < hints; ++i)
    to.push_back({numbered("controlnet_cond_embedding.blocks.", i - 1), numbered("input_hint_block.", 2 * i)});
  to.push_back({"controlnet_cond_embedding.conv_out", numbered("input_hint_block.", 2 * (hints - 1))});
  for (int k = 0; k < t.depth() * (t.layers + 1); ++k)
    to.push_back({numbered("controlnet_down_blocks.", k), numbered("zero_convs.", k, ".0")});
  to.push_back({"controlnet_mid_block", "middle_block_out.0"});
}

// The mid attention of an LDM VAE has 1x1 convolutions, [C, C, 1, 1], where diffusers has linear layers, [C, C].
// `attention`: what its weights' names have in them.
TensorSource reshaped_attention(TensorSource source, std::string_view attention, bool convolutions) {
  std::vector<Rename> renames;
  for (const auto& [name, info] : source.index) {
    Rename r{name, name};
    const Dims& d = info.dims;
    const bool flat = d.size() == 2, square = d.size() == 4 && d[2] == 1 && d[3] == 1;
    if (name.find(attention) != std::string::npos && (flat || square))
      r.dims = convolutions ? Dims{d[0], d[1], 1, 1} : Dims{d[0], d[1]};
    renames.push_back(std::move(r));
  }
  return renamed(std::move(source), renames);
}

}  // namespace

std::vector<ModuleName> unet_modules(const TensorIndex& index) {
  const Topology t = topology(index);
  std::vector<ModuleName> modules = {{"time_embedding.linear_1", "time_embed.0"},
                                     {"time_embedding.linear_2", "time_embed.2"},
                                     {"add_embedding.linear_1", "label_emb.0.0"},
                                     {"add_embedding.linear_2", "label_emb.0.2"},
                                     {"conv_in", "input_blocks.0.0"},
                                     {"conv_norm_out", "out.0"},
                                     {"conv_out", "out.2"}};
  add_encoder(modules, t);
  if (has_prefix(index, "controlnet_cond_embedding.") || has_prefix(index, "input_hint_block."))
    add_control(modules, index, t);
  else
    add_decoder(modules, t);
  return modules;
}

std::vector<ModuleName> vae_modules(const TensorIndex& index) {
  std::vector<ModuleName> modules;
  const auto resnet = [&](const std::string& diffusers, const std::string& ldm) {
    modules.push_back({diffusers, ldm});
    modules.push_back({diffusers + ".conv_shortcut", ldm + ".nin_shortcut"});
  };
  const bool ldm_form = has_prefix(index, "decoder.up.");
  for (const std::string x : {"encoder", "decoder"}) {
    const std::string side = x == "encoder" ? "down" : "up";
    const std::string blocks = x + "." + side + "_blocks.", levels = x + "." + side + ".";
    const int depth = count_prefixes(index, ldm_form ? levels : blocks);
    for (int i = 0; i < depth; ++i) {
      // trap: the original counts decoder levels from full resolution, diffusers in the order they run.
      const std::string block = numbered(blocks, i), level = numbered(levels, side == "up" ? depth - 1 - i : i);
      const int layers =
          ldm_form ? count_prefixes(index, level + ".block.") : count_prefixes(index, block + ".resnets.");
      for (int j = 0; j < layers; ++j) resnet(numbered(block + ".resnets.", j), numbered(level + ".block.", j));
      modules.push_back({block + "." + side + "samplers.0.conv", level + "." + side + "sample.conv"});
    }
    for (int j = 0; j < 2; ++j) resnet(numbered(x + ".mid_block.resnets.", j), numbered(x + ".mid.block_", j + 1));
    constexpr const char* kAttention[][2] = {
        {"group_norm", "norm"}, {"to_q", "q"}, {"to_k", "k"}, {"to_v", "v"}, {"to_out.0", "proj_out"}};
    for (const auto& inner : kAttention)
      modules.push_back({x + ".mid_block.attentions.0." + inner[0], x + ".mid.attn_1." + inner[1]});
    modules.push_back({x + ".conv_norm_out", x + ".norm_out"});
  }
  return modules;
}

bool holds(const TensorIndex& index, Component component) { return prefix_of(index, component).has_value(); }

TensorSource ldm_unet(TensorSource source) {
  source = component_of(std::move(source), Component::unet);
  if (has_prefix(source.index, "up_blocks.")) return source;
  const std::vector<ModuleName> modules = unet_modules(source.index);
  return translated(std::move(source), modules);
}

TensorSource ldm_controlnet(TensorSource source) {
  source = component_of(std::move(source), Component::controlnet);
  if (has_prefix(source.index, "down_blocks.")) return source;
  const std::vector<ModuleName> modules = unet_modules(source.index);
  return translated(std::move(source), modules);
}

TensorSource ldm_vae(TensorSource source) {
  source = component_of(std::move(source), Component::vae);
  if (!has_prefix(source.index, "decoder.up.")) return diffusers_vae(std::move(source));
  const std::vector<ModuleName> modules = vae_modules(source.index);
  return reshaped_attention(translated(std::move(source), modules), ".attentions.", false);
}

TensorSource ldm_text(TensorSource source, int encoder) {
  return transformers_text(component_of(std::move(source), encoder == 0 ? Component::text : Component::text2));
}

TensorSource as_ldm(TensorSource source, Component component, bool sdxl) {
  const std::vector<const char*>& prefixes = marks_of(component).prefixes;
  // text encoders: SD1.5's prefix stands before SDXL's, and only SDXL has a second one
  const bool second = component == Component::text && sdxl;
  if (component == Component::unet) {
    const std::vector<ModuleName> modules = unet_modules(source.index);
    source = translated(std::move(source), modules, ModuleMap::To::foreign);
  } else if (component == Component::vae) {
    const std::vector<ModuleName> modules = vae_modules(source.index);
    source = reshaped_attention(translated(std::move(source), modules, ModuleMap::To::foreign), ".attn_1.", true);
  } else if (component == Component::text2) {
    source = open_clip_text(std::move(source));
  }
  return below(std::move(source), prefixes[second ? 1 : 0]);
}

}  // namespace ipa
