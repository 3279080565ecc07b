#include "runtime/load.h"

#include "core/error.h"
#include "io/file.h"
#include "io/onnx.h"
#include "io/open.h"
#include "models/conditioning.h"
#include "models/controlnet.h"
#include "models/t2i_adapter.h"
#include "runtime/recorders.h"
#include "weights/identify.h"
#include "weights/names/ip_adapter.h"
#include "weights/names/ldm.h"
#include "weights/names/t2i_adapter.h"
#include "weights/names/transformers.h"

namespace ipa {

namespace {

// The file's tensors under the names that the models record.
TensorSource named(NetworkKind kind, const LoadRequest& request, TensorSource source) {
  switch (kind) {
    case NetworkKind::unet:
      return request.ldm ? ldm_unet(std::move(source)) : std::move(source);
    case NetworkKind::vae:
      if (is_tiny_autoencoder(source.index)) return tiny_autoencoder(std::move(source));
      return request.ldm ? ldm_vae(std::move(source)) : diffusers_vae(std::move(source));
    case NetworkKind::clip_text:
      return transformers_text(request.ldm ? ldm_text(std::move(source), request.encoder) : std::move(source));
    case NetworkKind::clip_vision:
      return transformers_vision(std::move(source));
    case NetworkKind::adapter:
      return adapter_groups(std::move(source));
    case NetworkKind::control:
      return is_t2i_adapter(source.index) ? t2i_adapter_names(std::move(source)) : ldm_controlnet(std::move(source));
    case NetworkKind::onnx:
      break;
  }
  return source;
}

// Both kinds fit a UNet or say why not.
std::map<std::string, PlanKind> control_plans(ControlConfig& config, const LoadRequest& request,
                                              const TensorSource& source) {
  if (!request.unet) fail(Code::INTERNAL, "a control is loaded for a UNet", "pass the UNet that it steers");
  const UNetConfig& unet = request.unet->unet;
  if (is_t2i_adapter(source.index)) {
    const T2iAdapterConfig adapter = detect_t2i_adapter(source.index, request.facts);
    feature_places(adapter, unet, source.label);
    config = adapter;
    return t2i_adapter_plans(adapter, request.compute);
  }
  const ControlNetConfig net = detect_controlnet(source.index, request.facts);
  check_fit(net, unet, source.label);
  config = net;
  return controlnet_plans(net, request.compute);
}

CrossAttentions cross_attentions(const UNetConfig& unet) {
  CrossAttentions sites;
  for (const AttentionSite& site : attention_sites(unet)) sites[site.file_index] = site.path;
  return sites;
}

// Reads the configuration out of names, shapes and config.json, and lists the plans.
std::map<std::string, PlanKind> plans_of(Loaded& loaded, const LoadRequest& request, const TensorSource& source,
                                         const Backend& backend) {
  switch (loaded.kind) {
    case NetworkKind::unet:
      loaded.unet = detect_unet(source.index, request.facts);
      return unet_plans(loaded.unet, request.compute);
    case NetworkKind::vae:
      loaded.tiny = detect_tiny_autoencoder(source.index);
      if (loaded.tiny) return tiny_autoencoder_plans(*loaded.tiny, request.compute);
      loaded.vae = detect_vae(source.index, request.facts);
      // trap: the decoder of SDXL makes numbers that f16 does not have.
      return vae_plans(loaded.vae, wide_of(backend, request.compute));
    case NetworkKind::clip_text:
      loaded.clip_text = detect_clip_text(source.index, request.facts);
      return clip_text_plans(loaded.clip_text, request.compute);
    case NetworkKind::clip_vision:
      loaded.clip_vision = detect_clip_vision(source.index, request.facts);
      return clip_vision_plans(loaded.clip_vision, request.compute);
    case NetworkKind::adapter:
      if (!request.unet) fail(Code::INTERNAL, "an adapter is loaded for a UNet", "pass the UNet it is attached to");
      loaded.adapter = detect_adapter(source.index, source.label);
      check_fit(loaded.adapter, request.unet->unet, source.label);
      if (loaded.adapter.has_lora())
        loaded.inner_lora =
            adapter_lora(source, cross_attentions(request.unet->unet), request.unet->network->store().source().index,
                         {request.options.allow_nonfinite});
      return adapter_plans(loaded.adapter, request.unet->unet);
    case NetworkKind::control:
      return control_plans(loaded.control, request, source);
    case NetworkKind::onnx:
      break;
  }
  return {};
}

uint8_t stages_of(NetworkKind kind) {
  switch (kind) {
    case NetworkKind::clip_text:
      return kText;
    case NetworkKind::clip_vision:
    case NetworkKind::onnx:
      return kPictures;
    case NetworkKind::adapter:  // projects what encoders made, then makes K and V for the UNet
      return kPictures | kDrawing;
    case NetworkKind::unet:
    case NetworkKind::control:
      return kDrawing;
    case NetworkKind::vae:
      return kDecoding;
  }
  return kAnyStage;
}

std::vector<ActiveLora> listed(const Loaded& loaded) {
  std::vector<ActiveLora> list;
  for (const MergedLora& merged : loaded.active) list.push_back({merged.lora.get(), merged.strength});
  return list;
}

}  // namespace

TensorSource network_source(const LoadRequest& request) {
  TensorSource source = request.path.empty() ? request.generated : without_nesting(open_weights(request.path));
  if (!request.path.empty()) require_loadable(source.index, source.label);
  return named(request.kind, request, std::move(source));
}

std::shared_ptr<Loaded> load(std::shared_ptr<Device> device, LoadRequest request) {
  auto loaded = std::make_shared<Loaded>();
  loaded->kind = request.kind;
  if (request.kind == NetworkKind::clip_text) loaded->part = request.encoder == 0 ? LoraPart::text : LoraPart::text2;
  if (request.kind == NetworkKind::onnx) {
    loaded->onnx = std::make_unique<OnnxNetwork>(device_of_graphs(device), open_onnx(request.path), request.options);
    loaded->onnx->network().set_stages(stages_of(request.kind));
    for (const auto& [name, tensor] : loaded->onnx->network().store().source().index)
      loaded->parameters += product(tensor.dims);
    return loaded;
  }
  TensorSource source = network_source(request);
  loaded->warnings = source.warnings;
  std::map<std::string, PlanKind> plans =
      naming_file(source.label, [&] { return plans_of(*loaded, request, source, device->backend); });
  LoadOptions later = request.options;
  later.later = true;
  loaded->network = std::make_unique<Network>(std::move(device), std::move(plans), std::move(source), later);
  loaded->network->set_stages(stages_of(request.kind));
  loaded->network->when_read_again([of = loaded.get()] {
    merge_again(of->network->store(), of->network->device().pool, of->part, of->loras, listed(*of));
  });
  if (!request.options.later) loaded->network->read(request.options);
  loaded->tiling = request.tiling;
  if (request.tiling == Tiling::never) loaded->network->refuse_bands();
  const Store& store = loaded->network->store();
  const Backend& backend = loaded->network->device().backend;
  if (store.streamed_bytes() > 0)
    loaded->streaming_seconds = backend.streaming_seconds(backend.self, store.streamed_bytes());
  for (const auto& [name, tensor] : store.source().index)
    if (store.find(name)) loaded->parameters += product(tensor.dims);
  return loaded;
}

Lora read_lora(const std::string& path, std::span<const std::shared_ptr<Loaded>> networks) {
  std::vector<LoraNetwork> parts;
  for (const auto& loaded : networks) parts.push_back({loaded->part, loaded->network->store().source().index});
  return open_lora(without_nesting(open_weights(path)), parts);
}

size_t set_loras(Loaded& loaded, std::vector<MergedLora> active) {
  Network& network = *loaded.network;
  loaded.active = std::move(active);
  const std::vector<ActiveLora> list = listed(loaded);
  if (!network.store().present() && !network.device().backend.apart)
    return note_loras(network.store(), loaded.part, loaded.loras, list);
  network.come();
  return apply_loras(network.store(), network.device().pool, loaded.part, loaded.loras, list);
}

}  // namespace ipa
