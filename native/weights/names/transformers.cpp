#include "weights/names/transformers.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "io/open.h"
#include "weights/names/module_map.h"
#include "weights/rename.h"

namespace ipa {

namespace {

bool is_buffer(std::string_view name) { return name.ends_with("position_ids") || name == "logit_scale"; }

// open_clip's layers `resblocks` -> transformers' `layers`.
void add_layers(std::vector<ModuleName>& modules, const TensorIndex& index, const std::string& layers,
                const std::string& resblocks) {
  constexpr const char* kInner[][2] = {{".layer_norm1", ".ln_1"},
                                       {".layer_norm2", ".ln_2"},
                                       {".mlp.fc1", ".mlp.c_fc"},
                                       {".mlp.fc2", ".mlp.c_proj"},
                                       {".self_attn.out_proj", ".attn.out_proj"}};
  const int count = std::max(count_prefixes(index, resblocks), count_prefixes(index, layers));
  for (int i = 0; i < count; ++i)
    for (const auto& inner : kInner)
      modules.push_back({numbered(layers, i, inner[0]), numbered(resblocks, i, inner[1])});
}

constexpr std::array kParts = {"q", "k", "v"};

// in_proj_weight [3W, W], in_proj_bias [3W]: rows of q, k, v in this order, one third each.
bool add_fused(std::vector<Rename>& renames, const std::string& name, const TensorInfo& info, const std::string& layers,
               const std::string& resblocks, const std::string& label) {
  constexpr std::string_view kFused = ".attn.in_proj_";
  const size_t at = name.find(kFused);
  if (!name.starts_with(resblocks) || at == std::string::npos) return false;
  if (info.dims.empty() || info.dims[0] <= 0 || info.dims[0] % 3)
    fail(Code::TENSOR_SHAPE, label + ": " + name + ": expected rows of q, k and v, file has " + text(info.dims),
         "the file is damaged", {{"tensor", name}, {"found", text(info.dims)}});
  const int64_t rows = info.dims[0] / 3;
  const std::string layer = layers + name.substr(resblocks.size(), at - resblocks.size());
  const std::string ending = "." + name.substr(at + kFused.size());  // ".weight", ".bias"
  for (int i = 0; i < 3; ++i)
    renames.push_back({layer + ".self_attn." + kParts[i] + "_proj" + ending, name, i * rows, rows});
  return true;
}

struct OpenClip {
  std::vector<ModuleName> modules;
  std::string layers, resblocks;
  // Parameters that are no modules in open_clip: no ".weight" after them.
  std::vector<std::pair<std::string, std::string>> parameters;  // open_clip, transformers
  std::string projection, transposed_projection;                // open_clip's [W, P] -> transformers' [P, W]
};

TensorSource from_open_clip(TensorSource source, OpenClip dialect) {
  add_layers(dialect.modules, source.index, dialect.layers, dialect.resblocks);
  const ModuleMap map(dialect.modules, ModuleMap::To::diffusers);
  std::vector<Rename> renames;
  for (const auto& [name, info] : source.index) {
    if (is_buffer(name) || name == "attn_mask" || name.starts_with("visual.")) continue;
    if (add_fused(renames, name, info, dialect.layers, dialect.resblocks, source.label)) continue;
    Rename r{map(name), name};
    if (name == dialect.projection) r.to = dialect.transposed_projection, r.transpose = true;
    for (const auto& [from, to] : dialect.parameters)
      if (name == from) r.to = to;
    if (r.to.empty()) r.to = name;
    renames.push_back(std::move(r));
  }
  return renamed(std::move(source), renames);
}

OpenClip text_dialect() {
  OpenClip dialect;
  dialect.layers = "text_model.encoder.layers.", dialect.resblocks = "transformer.resblocks.";
  dialect.modules = {{"text_model.embeddings.token_embedding", "token_embedding"},
                     {"text_model.final_layer_norm", "ln_final"},
                     {"text_projection", "text_projection"}};  // a re-saved text_projection.weight is [P, W] already
  dialect.parameters = {{"positional_embedding", "text_model.embeddings.position_embedding.weight"}};
  dialect.projection = "text_projection", dialect.transposed_projection = "text_projection.weight";
  return dialect;
}

// The fused matrices first, then every name as the dialect's pairs have it, read the other way.
TensorSource to_open_clip(TensorSource source, OpenClip dialect) {
  add_layers(dialect.modules, source.index, dialect.layers, dialect.resblocks);
  std::vector<RowJoin> joins;
  const int layers = count_prefixes(source.index, dialect.layers);
  for (int i = 0; i < layers; ++i)
    for (const std::string ending : {"weight", "bias"}) {
      RowJoin join{numbered(dialect.resblocks, i, ".attn.in_proj_" + ending), {}};
      for (const char* part : kParts)
        join.parts.push_back(numbered(dialect.layers, i, std::string(".self_attn.") + part + "_proj." + ending));
      joins.push_back(std::move(join));
    }
  source = joined(std::move(source), joins);
  const ModuleMap map(dialect.modules, ModuleMap::To::foreign);
  std::vector<Rename> renames;
  for (const auto& [name, info] : source.index) {
    Rename r{map(name), name};
    if (name == dialect.transposed_projection) r.to = dialect.projection, r.transpose = true;
    for (const auto& [foreign, own] : dialect.parameters)
      if (name == own) r.to = foreign;
    if (r.to.empty()) r.to = name;
    renames.push_back(std::move(r));
  }
  return renamed(std::move(source), renames);
}

TensorSource open_clip_vision(TensorSource source) {
  source = within(std::move(source), "visual.");
  OpenClip dialect;
  dialect.layers = "vision_model.encoder.layers.", dialect.resblocks = "transformer.resblocks.";
  dialect.modules = {{"vision_model.embeddings.patch_embedding", "conv1"},
                     {"vision_model.pre_layrnorm", "ln_pre"},
                     {"vision_model.post_layernorm", "ln_post"}};
  dialect.parameters = {{"class_embedding", "vision_model.embeddings.class_embedding"},
                        {"positional_embedding", "vision_model.embeddings.position_embedding.weight"}};
  dialect.projection = "proj", dialect.transposed_projection = "visual_projection.weight";
  return from_open_clip(std::move(source), std::move(dialect));
}

// One tower of transformers' form: `model` is its prefix (added where it is missing), `projection` stands beside it,
// names that begin with one of `others` belong to the other tower.
TensorSource tower(TensorSource source, const std::string& model, const std::string& projection,
                   std::initializer_list<std::string_view> others) {
  const bool prefixed = has_prefix(source.index, model);
  std::vector<Rename> renames;
  for (const auto& [name, info] : source.index) {
    bool skip = is_buffer(name);
    for (const std::string_view other : others) skip = skip || name.starts_with(other);
    if (skip) continue;
    renames.push_back({prefixed || name.starts_with(projection) ? name : model + name, name});
  }
  return renamed(std::move(source), renames);
}

}  // namespace

TensorSource transformers_text(TensorSource source) {
  source = without_nesting(std::move(source));
  if (source.index.contains("positional_embedding")) return from_open_clip(std::move(source), text_dialect());
  return tower(std::move(source), "text_model.", "text_projection.", {"vision_model.", "visual_projection."});
}

TensorSource open_clip_text(TensorSource source) { return to_open_clip(std::move(source), text_dialect()); }

TensorSource transformers_vision(TensorSource source) {
  source = without_nesting(std::move(source));
  if (has_prefix(source.index, "visual.")) return open_clip_vision(std::move(source));
  return tower(std::move(source), "vision_model.", "visual_projection.", {"text_model.", "text_projection."});
}

TensorSource diffusers_vae(TensorSource source) {
  source = without_nesting(std::move(source));
  std::vector<ModuleName> modules;
  for (const std::string x : {"encoder", "decoder"}) {
    const std::string attention = x + ".mid_block.attentions.0.";
    for (const auto& [now, old] :
         {std::pair("to_q", "query"), {"to_k", "key"}, {"to_v", "value"}, {"to_out.0", "proj_attn"}})
      modules.push_back({attention + now, attention + old});
  }
  const ModuleMap map(modules, ModuleMap::To::diffusers);
  std::vector<Rename> renames;
  for (const auto& [name, info] : source.index) {
    std::string to = map(name);
    renames.push_back({to.empty() ? name : std::move(to), name});
  }
  return renamed(std::move(source), renames);
}

}  // namespace ipa
