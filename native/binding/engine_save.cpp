// The call of Engine that writes weight files.
#include "binding/convert.h"
#include "binding/engine.h"
#include "binding/handles.h"
#include "core/error.h"
#include "runtime/save.h"

namespace ipa::binding {

namespace {

DType dtype_of(const std::string& text) {
  for (const auto& [name, dtype] : {std::pair("f16", DType::f16), {"bf16", DType::bf16}, {"f32", DType::f32}})
    if (text == name) return dtype;
  fail(Code::OPTION_RANGE, "dtype is " + quoted(text) + ", expected f16, bf16 or f32", "pass one of these",
       {{"option", "dtype"}, {"found", text}});
}

SavePart part_of(const Napi::Object& spec) {
  SavePart part;
  LoadRequest& request = part.request;
  if (const Napi::Value network = spec.Get("network"); !network.IsUndefined()) {
    const std::shared_ptr<Loaded> loaded = NetworkHandle::get(network, "network");
    request.kind = loaded->kind;
    request.encoder = loaded->part == LoraPart::text2 ? 1 : 0;
    part.loaded = loaded;
    return part;
  }
  request.kind = network_kind(text_of(spec, "kind"));
  const Napi::Object source = object_of(spec.Get("source"), "source");
  request.path = text_of(source, "path");
  request.ldm = text_or(source, "dialect", "diffusers") == "ldm";
  request.encoder = static_cast<int>(number_or(spec, "encoder", 0));
  request.facts = to_facts(spec.Get("config"));
  return part;
}

SaveLora lora_of(const Napi::Object& spec) {
  SaveLora lora;
  lora.scale = static_cast<float>(number_of(spec, "scale"));
  lora.text_scale = static_cast<float>(number_of(spec, "textScale"));
  if (const Napi::Value opened = spec.Get("lora"); !opened.IsUndefined()) lora.opened = LoraHandle::get(opened);
  if (!lora.opened) lora.path = text_of(spec, "path");
  return lora;
}

template <typename F>
void each(const Napi::Object& spec, const char* name, F f) {
  const Napi::Array list = array_of(spec.Get(name), name);
  for (uint32_t i = 0; i < list.Length(); ++i) f(object_of(list.Get(i), name));
}

SaveFile file_of(const Napi::Object& spec) {
  SaveFile file{text_of(spec, "path"), text_of(spec, "dialect") == "ldm", {}};
  for (const double part : to_doubles(spec.Get("parts"), "parts")) file.parts.push_back(static_cast<size_t>(part));
  return file;
}

Napi::Object described(Napi::Env env, const UNetConfig& unet) {
  Napi::Object out = Napi::Object::New(env);
  std::vector<int> widths, transformers, heads;
  for (const UNetLevel& level : unet.levels)
    widths.push_back(level.width), transformers.push_back(level.transformers), heads.push_back(level.heads);
  out.Set("widths", from_numbers(env, widths));
  out.Set("transformers", from_numbers(env, transformers));
  out.Set("heads", from_numbers(env, heads));
  out.Set("midTransformers", unet.mid_transformers);
  out.Set("inChannels", unet.in_channels);
  out.Set("outChannels", unet.out_channels);
  out.Set("layers", unet.layers);
  out.Set("context", unet.context);
  out.Set("linearProjection", unet.linear_projection);
  out.Set("guidanceWidth", unet.guidance_width);
  out.Set("pooledWidth", unet.pooled_width);
  out.Set("timeIds", unet.time_ids);
  out.Set("timeIdWidth", unet.time_id_width);
  out.Set("groups", unet.groups);
  return out;
}

Napi::Object described(Napi::Env env, const VaeConfig& vae) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("widths", from_numbers(env, vae.widths));
  out.Set("imageChannels", vae.image_channels);
  out.Set("latentChannels", vae.latent_channels);
  out.Set("layers", vae.layers);
  out.Set("quantConv", vae.quant_conv);
  out.Set("postQuantConv", vae.post_quant_conv);
  out.Set("midAttention", vae.mid_attention);
  out.Set("groups", vae.groups);
  return out;
}

Napi::Object described(Napi::Env env, const ClipTextConfig& text) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("vocabulary", text.vocabulary);
  out.Set("positions", text.positions);
  out.Set("width", text.width);
  out.Set("mlp", text.mlp);
  out.Set("layers", text.layers);
  out.Set("heads", text.heads);
  out.Set("activation", text.activation == Activation::gelu ? "gelu" : "quick_gelu");
  out.Set("projection", text.projection);
  return out;
}

Napi::Value result_of(Napi::Env env, const Saved& saved) {
  Napi::Object out = Napi::Object::New(env);
  Napi::Array parts = Napi::Array::New(env, saved.parts.size());
  for (size_t i = 0; i < saved.parts.size(); ++i) {
    Napi::Object row = Napi::Object::New(env);
    row.Set("network", std::visit([env](const auto& config) { return described(env, config); }, saved.parts[i].config));
    Napi::Array left = Napi::Array::New(env, saved.parts[i].left_out.size());
    for (size_t k = 0; k < saved.parts[i].left_out.size(); ++k)
      left.Set(static_cast<uint32_t>(k), saved.parts[i].left_out[k]);
    row.Set("leftOut", left);
    parts.Set(static_cast<uint32_t>(i), row);
  }
  out.Set("parts", parts);
  out.Set("bytes", static_cast<double>(saved.bytes));
  out.Set("warnings", warnings_of(env, saved.warnings));
  return out;
}

}  // namespace

Napi::Value EngineHandle::save(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Object spec = object_of(info[0], "save");
    auto request = std::make_shared<SaveRequest>();
    each(spec, "parts", [&](const Napi::Object& part) { request->parts.push_back(part_of(part)); });
    each(spec, "loras", [&](const Napi::Object& lora) { request->loras.push_back(lora_of(lora)); });
    each(spec, "files", [&](const Napi::Object& file) { request->files.push_back(file_of(file)); });
    request->dtype = dtype_of(text_of(spec, "dtype"));
    request->allow_nonfinite = flag_or(spec, "allowNonFinite", false);
    return post(info.Env(), spec, info[1], [request](Job& job) -> Finish {
      request->stop = &job.stop();
      request->progress = progress_of(job);
      auto saved = std::make_shared<Saved>(ipa::save(*request));
      return [saved](Napi::Env env) -> Napi::Value { return result_of(env, *saved); };
    });
  });
}

}  // namespace ipa::binding
