#include "runtime/save.h"

#include <algorithm>

#include "core/error.h"
#include "io/open.h"
#include "io/save_safetensors.h"
#include "runtime/recorders.h"
#include "weights/names/ldm.h"
#include "weights/rename.h"

namespace ipa {

namespace {

// What is known of a kind of network when it is written.
struct Row {
  NetworkKind kind;
  int encoder;
  Component component;
  LoraPart lora;                   // of a VAE nothing: no LoRA changes it
  std::vector<const char*> roots;  // with which every name of one of its tensors begins
};

const Row& row_of(const LoadRequest& request) {
  static const std::vector<Row> all = {
      {NetworkKind::unet,
       0,
       Component::unet,
       LoraPart::unet,
       {"conv_in.", "time_embedding.", "add_embedding.", "down_blocks.", "mid_block.", "up_blocks.", "conv_norm_out.",
        "conv_out."}},
      {NetworkKind::vae,
       0,
       Component::vae,
       LoraPart::unet,
       {"encoder.", "decoder.", "quant_conv.", "post_quant_conv."}},
      {NetworkKind::clip_text, 0, Component::text, LoraPart::text, {"text_model."}},
      {NetworkKind::clip_text, 1, Component::text2, LoraPart::text2, {"text_model.", "text_projection."}},
  };
  for (const Row& row : all)
    if (row.kind == request.kind && row.encoder == request.encoder) return row;
  fail(Code::INTERNAL, "only UNet, VAE and text encoders are written", "report this with the call that was made");
}

struct Part {
  const Row* row;
  TensorSource source;  // in diffusers' names, the network's own tensors alone
};

TensorSource belonging(TensorSource source, const Row& row, std::vector<std::string>& left_out) {
  std::vector<Rename> renames;
  for (const auto& [name, info] : source.index) {
    const bool belongs = std::ranges::any_of(row.roots, [&](const char* root) { return name.starts_with(root); });
    if (belongs)
      renames.push_back({name, name});
    else
      left_out.push_back(name);
  }
  return renamed(std::move(source), renames);
}

// Reads the configuration and checks that the file is complete.
std::variant<UNetConfig, VaeConfig, ClipTextConfig> checked_config(const SavePart& part, const TensorSource& source) {
  return naming_file(source.label, [&]() -> std::variant<UNetConfig, VaeConfig, ClipTextConfig> {
    const LoadRequest& request = part.request;
    if (request.kind == NetworkKind::unet) {
      const UNetConfig config = part.loaded ? part.loaded->unet : detect_unet(source.index, request.facts);
      require_wants(wants_of(unet_plans(config)), source);
      return config;
    }
    if (request.kind == NetworkKind::vae) {
      if (detect_tiny_autoencoder(source.index))
        fail(Code::MODEL_FORMAT_UNSUPPORTED, source.label + " is a tiny autoencoder, which no checkpoint holds",
             "leave the option vae out, or give a full VAE", {{"path", source.label}});
      const VaeConfig config = part.loaded ? part.loaded->vae : detect_vae(source.index, request.facts);
      require_wants(wants_of(vae_plans(config)), source);
      return config;
    }
    const ClipTextConfig config = part.loaded ? part.loaded->clip_text : detect_clip_text(source.index, request.facts);
    require_wants(wants_of(clip_text_plans(config)), source);
    return config;
  });
}

std::vector<std::shared_ptr<const Lora>> opened_loras(const SaveRequest& request, const std::vector<Part>& parts,
                                                      Saved& saved) {
  std::vector<LoraNetwork> networks;
  for (const Part& part : parts)
    if (part.row->kind != NetworkKind::vae) networks.push_back({part.row->lora, part.source.index});
  std::vector<std::shared_ptr<const Lora>> loras;
  for (const SaveLora& lora : request.loras) {
    if (lora.opened) {
      loras.push_back(lora.opened);
      continue;
    }
    TensorSource source = without_nesting(open_weights(lora.path));
    auto opened = std::make_shared<Lora>(open_lora(std::move(source), networks, {request.allow_nonfinite}));
    saved.warnings.insert(saved.warnings.end(), opened->warnings.begin(), opened->warnings.end());
    loras.push_back(std::move(opened));
  }
  return loras;
}

TensorSource merged(const SaveRequest& request, const Part& part,
                    const std::vector<std::shared_ptr<const Lora>>& loras) {
  std::vector<ActiveLora> active;
  for (size_t i = 0; i < loras.size(); ++i) {
    const SaveLora& lora = request.loras[i];
    const bool text = part.row->kind == NetworkKind::clip_text;
    active.push_back({loras[i].get(), text ? lora.text_scale : lora.scale});
  }
  return part.row->kind == NetworkKind::vae ? part.source
                                            : merged_source(part.source, part.row->lora, std::move(active));
}

}  // namespace

Saved save(const SaveRequest& request) {
  Saved saved;
  std::vector<Part> parts;
  bool sdxl = false;
  for (const SavePart& given : request.parts) {
    const Row& row = row_of(given.request);
    TensorSource source = given.loaded ? given.loaded->network->store().source() : network_source(given.request);
    if (!given.loaded) saved.warnings.insert(saved.warnings.end(), source.warnings.begin(), source.warnings.end());
    SavedPart& part = saved.parts.emplace_back();
    part.config = checked_config(given, source);
    parts.push_back({&row, belonging(std::move(source), row, part.left_out)});
    if (const auto* unet = std::get_if<UNetConfig>(&part.config)) sdxl = sdxl || unet->added_conditioning();
  }
  const std::vector<std::shared_ptr<const Lora>> loras = opened_loras(request, parts, saved);

  std::vector<std::vector<TensorSource>> contents;
  for (const SaveFile& file : request.files) {
    std::vector<TensorSource>& sources = contents.emplace_back();
    for (const size_t i : file.parts) {
      TensorSource source = merged(request, parts.at(i), loras);
      sources.push_back(file.ldm ? as_ldm(std::move(source), parts[i].row->component, sdxl) : std::move(source));
    }
    saved.bytes += saved_bytes(sources, request.dtype);
  }

  SaveOptions options{request.dtype, {{"format", "pt"}}, request.allow_nonfinite, request.stop, {}};
  uint64_t done = 0;
  if (request.progress)
    options.written = [&](uint64_t bytes) {
      constexpr uint64_t kReports = 256;
      done += bytes;
      if (done * kReports / saved.bytes != (done - bytes) * kReports / saved.bytes) request.progress(done, saved.bytes);
    };
  for (size_t i = 0; i < request.files.size(); ++i) save_safetensors(request.files[i].path, contents[i], options);
  return saved;
}

}  // namespace ipa
