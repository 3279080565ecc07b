#include "binding/handles.h"

#include <cstdio>

#include "binding/convert.h"
#include "binding/job.h"
#include "core/error.h"
#include "models/conditioning.h"
#include "runtime/control_run.h"

namespace ipa::binding {

namespace {

const char* kind_text(NetworkKind kind) {
  static constexpr const char* kNames[] = {"unet", "vae", "clip_text", "clip_vision", "adapter", "onnx", "control"};
  return kNames[static_cast<int>(kind)];
}

const Network& network_of(const Loaded& loaded) { return loaded.onnx ? loaded.onnx->network() : *loaded.network; }

const Store& store_of(const Loaded& loaded) { return network_of(loaded).store(); }

void unet_info(Napi::Env env, const UNetConfig& unet, Napi::Object& out) {
  out.Set("inChannels", unet.in_channels);
  out.Set("outChannels", unet.out_channels);
  out.Set("context", unet.context);
  out.Set("levels", unet.depth());
  out.Set("family", family_text(family_of(unet)));
  out.Set("pooledWidth", unet.pooled_width);
  const std::vector<AttentionSite> sites = attention_sites(unet);
  Napi::Array list = Napi::Array::New(env, sites.size());
  for (size_t i = 0; i < sites.size(); ++i) {
    Napi::Object site = Napi::Object::New(env);
    site.Set("path", sites[i].path);
    site.Set("width", sites[i].width);
    site.Set("index", sites[i].t_idx);
    list.Set(static_cast<uint32_t>(i), site);
  }
  out.Set("sites", list);
}

// `factor`: pixels of its picture per latent; a T2I-Adapter's picture has whole places of so many pixels.
void control_info(const ControlConfig& config, Napi::Object& out) {
  out.Set("strengths", static_cast<double>(strengths_of(config)));
  if (const auto* net = std::get_if<ControlNetConfig>(&config)) {
    out.Set("variant", "controlnet");
    out.Set("family", family_text(family_of(net->unet)));
    out.Set("factor", net->factor());
    out.Set("channels", net->image_channels);
    out.Set("globalPool", net->global_pool);
    return;
  }
  const auto& adapter = std::get<T2iAdapterConfig>(config);
  out.Set("variant", "t2i-adapter");
  out.Set("factor", adapter.unshuffle);
  out.Set("channels", adapter.image_channels);
}

}  // namespace

Napi::Array warnings_of(Napi::Env env, const std::vector<std::pair<std::string, std::string>>& warnings) {
  Napi::Array list = Napi::Array::New(env, warnings.size());
  for (size_t i = 0; i < warnings.size(); ++i) {
    Napi::Object warning = Napi::Object::New(env);
    warning.Set("code", warnings[i].first);
    warning.Set("message", warnings[i].second);
    list.Set(static_cast<uint32_t>(i), warning);
  }
  return list;
}

Napi::Object adapter_info(Napi::Env env, const AdapterInfo& adapter) {
  static constexpr const char* kOutputs[] = {"none", "image_embeds", "penultimate"};
  Napi::Object out = Napi::Object::New(env);
  out.Set("variant", variant_text(adapter));
  out.Set("family", family_text(adapter.family));
  out.Set("tokensPerImage", adapter.tokens);
  out.Set("encoderOutput", kOutputs[static_cast<int>(adapter.encoder)]);
  out.Set("encoderWidth", adapter.encoder_width);
  out.Set("identityWidth", adapter.identity_width);
  out.Set("rawIdentity", adapter.raw_identity);
  out.Set("context", adapter.context);
  out.Set("loraRank", adapter.lora_rank);
  return out;
}

Napi::Object network_info(Napi::Env env, const Loaded& loaded) {
  Napi::Object out = Napi::Object::New(env);
  if (loaded.kind == NetworkKind::adapter) out = adapter_info(env, loaded.adapter);
  out.Set("kind", kind_text(loaded.kind));
  out.Set("bytes", static_cast<double>(store_of(loaded).bytes()));
  if (const uint64_t bytes = store_of(loaded).streamed_bytes(); bytes > 0) {
    Napi::Object streamed = Napi::Object::New(env);
    streamed.Set("bytes", static_cast<double>(bytes));
    streamed.Set("seconds", loaded.streaming_seconds);
    out.Set("streamed", streamed);
  }
  out.Set("parameters", static_cast<double>(loaded.parameters));
  out.Set("warnings", warnings_of(env, loaded.warnings));
  switch (loaded.kind) {
    case NetworkKind::unet:
      unet_info(env, loaded.unet, out);
      break;
    case NetworkKind::vae:
      out.Set("factor", loaded.tiny ? TinyAutoencoderConfig::kFactor : loaded.vae.factor());
      out.Set("latentChannels", loaded.tiny ? loaded.tiny->latent_channels : loaded.vae.latent_channels);
      if (loaded.tiny) out.Set("tiny", true), out.Set("decodes", loaded.tiny->decodes);
      break;
    case NetworkKind::clip_text:
      out.Set("width", loaded.clip_text.width);
      out.Set("layers", loaded.clip_text.layers);
      out.Set("positions", loaded.clip_text.positions);
      out.Set("projection", loaded.clip_text.projection);
      break;
    case NetworkKind::clip_vision:
      out.Set("width", loaded.clip_vision.width);
      out.Set("layers", loaded.clip_vision.layers);
      out.Set("projection", loaded.clip_vision.projection);
      out.Set("image", loaded.clip_vision.image);
      out.Set("tokens", loaded.clip_vision.tokens());
      break;
    case NetworkKind::adapter:
      break;
    case NetworkKind::control:
      control_info(loaded.control, out);
      break;
    case NetworkKind::onnx: {
      out.Set("input", from_numbers(env, loaded.onnx->input_dims()));
      const auto& outputs = loaded.onnx->model().outputs;
      Napi::Array list = Napi::Array::New(env, outputs.size());
      for (size_t i = 0; i < outputs.size(); ++i)
        list.Set(static_cast<uint32_t>(i), from_numbers(env, outputs[i].dims));
      out.Set("outputs", list);
      break;
    }
  }
  return out;
}

Napi::Function NetworkHandle::define(Napi::Env env) {
  return DefineClass(
      env, "Network",
      {InstanceAccessor<&NetworkHandle::info>("info"), InstanceMethod<&NetworkHandle::runs>("runs"),
       InstanceMethod<&NetworkHandle::memory>("memory"), InstanceMethod<&NetworkHandle::digest>("digest"),
       InstanceMethod<&NetworkHandle::dispose>("dispose")});
}

Napi::Object NetworkHandle::make(Napi::Env env, std::shared_ptr<Loaded> loaded) {
  return env.GetInstanceData<Constructors>()->network.New({Napi::External<std::shared_ptr<Loaded>>::New(env, &loaded)});
}

NetworkHandle::NetworkHandle(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  if (info.Length() != 1 || !info[0].IsExternal())
    throw Napi::TypeError::New(info.Env(), "networks are made by Engine.load");
  loaded_ = *info[0].As<Napi::External<std::shared_ptr<Loaded>>>().Data();
  reported_ = static_cast<int64_t>(store_of(*loaded_).bytes());
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), reported_);
}

std::shared_ptr<Loaded> NetworkHandle::get(const Napi::Value& value, const char* what) {
  const Napi::Object object = object_of(value, what);
  if (!object.InstanceOf(object.Env().GetInstanceData<Constructors>()->network.Value()))
    fail(Code::OPTION_TYPE, std::string("Expected a loaded network for ") + what, "pass what Engine.load gave");
  std::shared_ptr<Loaded> loaded = Unwrap(object)->loaded_;
  if (!loaded) fail(Code::CLOSED, std::string("the network given as ") + what + " was disposed", "load it again");
  return loaded;
}

Napi::Value NetworkHandle::info(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value { return network_info(info.Env(), *get(info.This(), "this")); });
}

Napi::Value NetworkHandle::runs(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto loaded = get(info.This(), "this");
    const std::string plan = info[0].ToString();
    return Napi::Number::New(info.Env(), static_cast<double>(network_of(*loaded).runs(plan)));
  });
}

Napi::Value NetworkHandle::memory(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto loaded = get(info.This(), "this");
    return Napi::Number::New(info.Env(), static_cast<double>(network_of(*loaded).bytes()));
  });
}

Napi::Value NetworkHandle::digest(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    char text[17];
    std::snprintf(text, sizeof text, "%016llx",
                  static_cast<unsigned long long>(store_of(*get(info.This(), "this")).digest()));
    return Napi::String::New(info.Env(), text);
  });
}

void NetworkHandle::dispose(const Napi::CallbackInfo& info) {
  loaded_.reset();
  Napi::MemoryManagement::AdjustExternalMemory(info.Env(), -reported_);
  reported_ = 0;
}

Napi::Function LoraHandle::define(Napi::Env env) {
  return DefineClass(env, "Lora", {InstanceAccessor<&LoraHandle::info>("info")});
}

Napi::Object LoraHandle::make(Napi::Env env, std::shared_ptr<Lora> lora) {
  return env.GetInstanceData<Constructors>()->lora.New({Napi::External<std::shared_ptr<Lora>>::New(env, &lora)});
}

Napi::Value LoraHandle::info(const Napi::CallbackInfo& info) {
  Napi::Object out = Napi::Object::New(info.Env());
  const size_t in_unet = lora_->modules(LoraPart::unet);
  out.Set("modules", static_cast<double>(in_unet));
  out.Set("textModules", static_cast<double>(lora_->modules() - in_unet));
  out.Set("rank", static_cast<double>(lora_->rank));
  Napi::Array unmatched = Napi::Array::New(info.Env(), lora_->unmatched.size());
  for (size_t i = 0; i < lora_->unmatched.size(); ++i) unmatched.Set(static_cast<uint32_t>(i), lora_->unmatched[i]);
  out.Set("unmatched", unmatched);
  out.Set("warnings", warnings_of(info.Env(), lora_->warnings));
  return out;
}

LoraHandle::LoraHandle(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  if (info.Length() != 1 || !info[0].IsExternal())
    throw Napi::TypeError::New(info.Env(), "LoRAs are made by Engine.openLora");
  lora_ = *info[0].As<Napi::External<std::shared_ptr<Lora>>>().Data();
}

std::shared_ptr<Lora> LoraHandle::get(const Napi::Value& value) {
  const Napi::Object object = object_of(value, "lora");
  if (!object.InstanceOf(object.Env().GetInstanceData<Constructors>()->lora.Value())) return nullptr;
  return Unwrap(object)->lora_;
}

Network& network_of(const std::shared_ptr<Loaded>& loaded, NetworkKind kind, const char* what) {
  if (loaded->kind != kind || !loaded->network)
    fail(Code::OPTION_TYPE, std::string("Expected another kind of network for ") + what, "pass the right handle");
  return *loaded->network;
}

OnnxNetwork& onnx_of(const std::shared_ptr<Loaded>& loaded) {
  if (!loaded->onnx) fail(Code::OPTION_TYPE, "Expected an ONNX network", "pass a network loaded from .onnx");
  return *loaded->onnx;
}

}  // namespace ipa::binding
