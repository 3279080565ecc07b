#include "weights/identify.h"

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "weights/names/ip_adapter.h"
#include "weights/names/ldm.h"
#include "weights/names/lora_keys.h"
#include "weights/names/transformers.h"
#include "weights/rename.h"

namespace ipa {

namespace {

// Dimension `axis` of a tensor, 0 when there is none.
int64_t dim(const TensorIndex& index, const std::string& name, size_t axis) {
  const auto at = index.find(name);
  return at != index.end() && axis < at->second.dims.size() ? at->second.dims[axis] : 0;
}

bool any_name(const TensorIndex& index, auto test) {
  return std::any_of(index.begin(), index.end(),
                     [&](const auto& entry) { return test(std::string_view(entry.first)); });
}
bool any_contains(const TensorIndex& index, std::string_view part) {
  return any_name(index, [&](std::string_view name) { return name.find(part) != std::string_view::npos; });
}

struct OtherFamily {
  const char* family;
  FileKind kind;
  std::vector<const char*> starts;  // a name that begins so gives it away
};
// Families that share no name with ours. Those that only differ in a shape are told by unet_family.
const std::vector<OtherFamily>& other_families() {
  static const std::vector<OtherFamily> all = {
      {"FLUX",
       FileKind::unet,
       {"model.diffusion_model.double_blocks.", "double_blocks.", "single_transformer_blocks."}},
      {"SD3", FileKind::unet, {"model.diffusion_model.joint_blocks.", "joint_blocks.", "context_embedder."}},
      {"PuLID",
       FileKind::ip_adapter,
       {"id_adapter.", "id_adapter_attn_layers.", "pulid_", "image_proj.id_embedding_mapping"}},
      {"Playground v2.5", FileKind::sdxl, {"edm_mean", "edm_std"}},
      {"SDXL refiner", FileKind::sdxl, {"conditioner.embedders.0.model.transformer.resblocks."}},
      {"SD2.x", FileKind::sd15, {"cond_stage_model.model."}},
      {"Kolors", FileKind::unet, {"encoder_hid_proj.weight", "model.diffusion_model.encoder_hid_proj.weight"}},
      {"Control-LoRA", FileKind::controlnet, {"lora_controlnet"}},
  };
  return all;
}

struct UNetFacts {
  int64_t in_channels, width, context;
  bool added;  // conditioning on the pooled text (SDXL)
};

UNetFacts unet_facts(const TensorIndex& index, const std::string& prefix) {
  const auto either = [&](const std::string& ldm, const std::string& diffusers, size_t axis) {
    const int64_t d = dim(index, prefix + ldm, axis);
    return d ? d : dim(index, prefix + diffusers, axis);
  };
  UNetFacts f{};
  f.in_channels = either("input_blocks.0.0.weight", "conv_in.weight", 1);
  f.width = either("input_blocks.0.0.weight", "conv_in.weight", 0);
  f.context = either("middle_block.1.transformer_blocks.0.attn2.to_k.weight",
                     "mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight", 1);
  f.added = has_prefix(index, prefix + "label_emb.") || has_prefix(index, prefix + "add_embedding.");
  return f;
}

FileIdentity with_family(FileKind kind, const UNetFacts& f) {
  if (f.in_channels == 8 && kind != FileKind::controlnet) return {kind, "InstructPix2Pix", false};
  if (f.width == 384 && f.context == 1280) return {kind, "SDXL refiner", false};
  if (f.width == 320 && f.context == 1024 && !f.added) return {kind, "SD2.x", false};
  if (f.width == 320 && f.context == 768 && !f.added) return {kind, "SD1.5", true};
  if (f.width == 320 && f.context == 2048 && f.added) return {kind, "SDXL", true};
  return {kind, "", true};
}

FileIdentity adapter_identity(const TensorIndex& index) {
  for (const Rename& rename : adapter_names(index)) {
    if (rename.to != "ip_adapter.1.to_k_ip.weight") continue;
    const int64_t context = dim(index, rename.from, 1);
    const int64_t width = dim(index, rename.from, 0);
    if (width == 320 && context == 768) return {FileKind::ip_adapter, "SD1.5", true};
    if (width == 640 && context == 2048) return {FileKind::ip_adapter, "SDXL", true};
    if (width == 320 && context == 1024)
      return {FileKind::ip_adapter, "SD2.x", true};  // refused by its base, not by its kind
  }
  return {FileKind::ip_adapter, "", true};
}

bool is_adapter(const TensorIndex& index) {
  return any_contains(index, ".to_k_ip.") || (has_prefix(index, "image_proj.") && has_prefix(index, "ip_adapter."));
}

// The second dimension is that of what the layer reads. No factor of a LoKr has it.
bool reads_inputs(LoraFactor factor) {
  return factor == LoraFactor::down || factor == LoraFactor::hada_w1_b || factor == LoraFactor::diff;
}

FileIdentity lora_identity(const TensorIndex& index) {
  if (any_contains(index, "double_blocks") || any_contains(index, "single_transformer_blocks"))
    return {FileKind::lora, "FLUX", false};
  if (any_contains(index, "joint_blocks")) return {FileKind::lora, "SD3", false};
  for (const auto& [name, info] : index) {
    const auto key = parse_lora_key(name);
    if (!key || !reads_inputs(key->factor) || info.dims.size() < 2) continue;
    if (!key->module.ends_with("attn2_to_k") && !key->module.ends_with("attn2.to_k")) continue;
    if (info.dims[1] == 768) return {FileKind::lora, "SD1.5", true};
    if (info.dims[1] == 1024) return {FileKind::lora, "SD2.x", false};
    if (info.dims[1] == 2048) return {FileKind::lora, "SDXL", true};
  }
  const bool sdxl =
      has_prefix(index, "lora_te1_") || has_prefix(index, "lora_te2_") || has_prefix(index, "text_encoder_2.");
  return {FileKind::lora, sdxl ? "SDXL" : "", true};
}

bool is_lora(const TensorIndex& index) {
  return any_name(index, [](std::string_view name) {
    const auto key = parse_lora_key(name);
    return key && key->factor != LoraFactor::alpha;
  });
}

bool is_image_encoder(const TensorIndex& index) {
  return has_prefix(index, "vision_model.") || has_prefix(index, "visual.") ||
         index.contains("embeddings.class_embedding");
}

// Textual inversion: vectors for words of a prompt, by the names of the tools that write them.
FileIdentity text_embedding_identity(const TensorIndex& index) {
  const TensorInfo* found = nullptr;
  const auto plain = [](std::string_view name) { return !name.ends_with(".weight") && !name.ends_with(".bias"); };
  if (index.contains("clip_g")) return {FileKind::text_embedding, "SDXL", true};
  for (const auto& [name, info] : index)
    if (name.starts_with("string_to_param.") || name == "emb_params") found = &info;
  const bool named = found != nullptr;
  if (!named && index.size() == 1 && plain(index.begin()->first)) found = &index.begin()->second;
  if (!found || found->dims.empty() || found->dims.size() > 2) return {};
  const int64_t width = found->dims.back();
  if (width == 768) return {FileKind::text_embedding, "SD1.5", true};
  if (!named) return {};  // one tensor of another width may be anything
  if (width == 1024) return {FileKind::text_embedding, "SD2.x", false};
  return {FileKind::text_embedding, "", true};
}

}  // namespace

bool is_t2i_adapter(const TensorIndex& index) {
  if (has_prefix(index, "adapter.body.")) return true;
  return has_prefix(index, "body.0.") && (has_prefix(index, "conv_in.") || has_prefix(index, "body.0.in_conv."));
}

const char* kind_text(FileKind kind) {
  switch (kind) {
    case FileKind::sd15:
      return "Stable Diffusion checkpoint";
    case FileKind::sdxl:
      return "SDXL checkpoint";
    case FileKind::unet:
      return "UNet";
    case FileKind::vae:
      return "VAE";
    case FileKind::text_encoder:
      return "text encoder";
    case FileKind::image_encoder:
      return "image encoder";
    case FileKind::ip_adapter:
      return "IP-Adapter";
    case FileKind::lora:
      return "LoRA";
    case FileKind::controlnet:
      return "ControlNet";
    case FileKind::t2i_adapter:
      return "T2I-Adapter";
    case FileKind::text_embedding:
      return "text embedding";
    case FileKind::unknown:
      break;
  }
  return "unknown";
}

FileIdentity identify(const TensorIndex& index) {
  for (const OtherFamily& other : other_families())
    for (const char* start : other.starts)
      if (has_prefix(index, start)) return {other.kind, other.family, false};
  if (is_adapter(index)) return adapter_identity(index);
  for (const char* prefix : {"model.diffusion_model.", "diffusion_model.", "unet.", ""}) {
    if (!has_prefix(index, std::string(prefix) + "output_blocks.") &&
        !has_prefix(index, std::string(prefix) + "up_blocks."))
      continue;
    if (any_contains(index, "lora")) break;  // LoRA names in diffusers' form begin like a UNet's
    const UNetFacts facts = unet_facts(index, prefix);
    const bool whole = *prefix && (holds(index, Component::vae) || holds(index, Component::text));
    return with_family(!whole ? FileKind::unet : facts.added ? FileKind::sdxl : FileKind::sd15, facts);
  }
  for (const char* prefix : {"control_model.", "controlnet.", ""})
    if (has_prefix(index, std::string(prefix) + "input_hint_block.") ||
        has_prefix(index, std::string(prefix) + "controlnet_cond_embedding."))
      return with_family(FileKind::controlnet, unet_facts(index, prefix));
  if (is_lora(index)) return lora_identity(index);
  if (is_t2i_adapter(index)) return {FileKind::t2i_adapter, "", true};
  if (holds(index, Component::vae) || is_tiny_autoencoder(index)) return {FileKind::vae, "", true};
  if (is_image_encoder(index)) return {FileKind::image_encoder, "", true};
  if (holds(index, Component::text)) return {FileKind::text_encoder, "", true};
  return text_embedding_identity(index);
}

void require_loadable(const TensorIndex& index, const std::string& label) {
  const FileIdentity file = identify(index);
  if (file.loads) return;
  const bool adapter = file.kind == FileKind::ip_adapter;
  fail(
      adapter ? Code::ADAPTER_UNKNOWN : Code::MODEL_FORMAT_UNSUPPORTED,
      label + " is a " + file.family + " file (" + kind_text(file.kind) + "), which cannot be used here",
      adapter
          ? "adapters that load: IP-Adapter base, plus, full-face, FaceID and portrait for SD1.5 and SDXL"
          : "bases that load: Stable Diffusion 1.5 and SDXL base, their inpainting forms, and models of their topology",
      {{"path", label}, {"found", file.family}});
}

}  // namespace ipa
