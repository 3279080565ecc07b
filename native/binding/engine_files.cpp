// Calls of Engine that read weight files: what one is, loading, LoRAs.
#include "binding/convert.h"
#include "binding/engine.h"
#include "binding/handles.h"
#include "core/error.h"
#include "runtime/inspect.h"
#include "weights/synthetic.h"

namespace ipa::binding {

namespace {

TensorSource generated(const Napi::Object& source) {
  const Napi::Object tensors = object_of(source.Get("tensors"), "tensors");
  TensorIndex index;
  const Napi::Array names = tensors.GetPropertyNames();
  for (uint32_t i = 0; i < names.Length(); ++i) {
    const std::string name = names.Get(i).ToString();
    TensorInfo info;
    for (double d : to_doubles(tensors.Get(name), name)) info.dims.push_back(static_cast<int64_t>(d));
    index[name] = info;
  }
  std::vector<std::pair<std::string, float>> factors;
  if (const Napi::Value value = source.Get("factors"); value.IsObject()) {
    const Napi::Object object = value.As<Napi::Object>();
    const Napi::Array ends = object.GetPropertyNames();
    for (uint32_t i = 0; i < ends.Length(); ++i) {
      const std::string end = ends.Get(i).ToString();
      factors.emplace_back(end, static_cast<float>(number_of(object, end.c_str())));
    }
  }
  TensorSource made = synthetic(text_of(source, "synthetic"), std::move(index), std::move(factors));
  return source.Has("dtype") && text_of(source, "dtype") == "f16" ? halved(std::move(made)) : made;
}

// A network whose weights LoRAs change.
std::shared_ptr<Loaded> changeable(const Napi::Value& value, const char* what) {
  std::shared_ptr<Loaded> loaded = NetworkHandle::get(value, what);
  network_of(loaded, loaded->kind == NetworkKind::clip_text ? NetworkKind::clip_text : NetworkKind::unet, what);
  return loaded;
}

// That of a LoRA file, or the one inside an adapter.
std::shared_ptr<const Lora> lora_of(const Napi::Value& value) {
  if (std::shared_ptr<const Lora> lora = LoraHandle::get(value)) return lora;
  const auto adapter = NetworkHandle::get(value, "lora");
  return {adapter, &adapter->inner_lora};
}

Tiling tiling_of(const std::string& name) {
  if (name == "auto") return Tiling::automatic;
  if (name == "always") return Tiling::always;
  if (name == "never") return Tiling::never;
  fail(Code::OPTION_RANGE, "Expected auto, always or never for tiling but received " + quoted(name), "pass one of them",
       {{"option", "memory.vaeTiling"}});
}

}  // namespace

NetworkKind network_kind(const std::string& text) {
  static constexpr const char* kNames[] = {"unet", "vae", "clip_text", "clip_vision", "adapter", "onnx", "control"};
  for (size_t i = 0; i < std::size(kNames); ++i)
    if (text == kNames[i]) return static_cast<NetworkKind>(i);
  fail(Code::OPTION_RANGE, "no kind of network is called " + quoted(text),
       "pass unet, vae, clip_text, clip_vision, "
       "adapter, onnx or control",
       {{"option", "kind"}});
}

std::function<void(uint64_t bytes, uint64_t total)> progress_of(Job& job) {
  return [&job](uint64_t bytes, uint64_t total) {
    job.emit([bytes, total](Napi::Env env) -> Napi::Value {
      Napi::Object event = Napi::Object::New(env);
      event.Set("bytes", static_cast<double>(bytes));
      event.Set("totalBytes", static_cast<double>(total));
      return event;
    });
  };
}

Napi::Value EngineHandle::inspect(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string path = info[0].ToString();
    const Napi::Value base = object_of(info[1], "inspect").Get("unet");
    const std::string unet_path = base.IsString() ? std::string(base.ToString()) : "";
    std::shared_ptr<Loaded> unet;
    if (base.IsObject()) network_of(unet = NetworkHandle::get(base, "unet"), NetworkKind::unet, "unet");
    return post(info.Env(), info[1], info.Env().Undefined(), [path, unet_path, unet](Job&) -> Finish {
      std::optional<UNetConfig> config;
      if (unet) config = unet->unet;
      if (!unet_path.empty()) config = inspect_unet(unet_path);
      auto found = std::make_shared<Inspection>(ipa::inspect(path, config ? &*config : nullptr));
      return [found](Napi::Env env) -> Napi::Value {
        Napi::Object out = Napi::Object::New(env);
        out.Set("format", found->format);
        out.Set("kind", found->kind);
        out.Set("bytes", static_cast<double>(found->bytes));
        Napi::Object metadata = Napi::Object::New(env);
        for (const auto& [key, value] : found->source.metadata) metadata.Set(key, value);
        out.Set("metadata", metadata);
        Napi::Array tensors = Napi::Array::New(env, found->source.index.size());
        uint32_t i = 0;
        for (const auto& [name, tensor] : found->source.index) {
          Napi::Object row = Napi::Object::New(env);
          row.Set("name", name);
          row.Set("dtype", dtype_text(tensor.dtype));
          row.Set("shape", from_numbers(env, tensor.dims));
          tensors.Set(i++, row);
        }
        out.Set("tensors", tensors);
        out.Set("warnings", warnings_of(env, found->source.warnings));
        if (found->adapter) out.Set("adapter", adapter_info(env, *found->adapter));
        return out;
      };
    });
  });
}

Napi::Value EngineHandle::load(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const Napi::Object spec = object_of(info[0], "load");
    const Napi::Object source = object_of(spec.Get("source"), "source");
    auto request = std::make_shared<LoadRequest>();
    request->kind = network_kind(text_of(spec, "kind"));
    request->path = text_or(source, "path", "");
    if (request->path.empty()) request->generated = generated(source);
    request->ldm = text_or(source, "dialect", "diffusers") == "ldm";
    request->tiling = tiling_of(text_or(spec, "tiling", "auto"));
    request->compute = compute_;
    request->encoder = static_cast<int>(number_or(spec, "encoder", 0));
    request->facts = to_facts(spec.Get("config"));
    request->options.allow_nonfinite = flag_or(spec, "allowNonFinite", false);
    request->options.later = flag_or(spec, "later", false);
    std::shared_ptr<Loaded> unet;
    if (!spec.Get("unet").IsUndefined()) unet = NetworkHandle::get(spec.Get("unet"), "unet");
    return post(info.Env(), spec, info[1], [device = device_, request, unet](Job& job) -> Finish {
      request->unet = unet.get();
      request->options.stop = &job.stop();
      request->options.progress = progress_of(job);
      std::shared_ptr<Loaded> loaded = ipa::load(device, std::move(*request));
      return [loaded](Napi::Env env) -> Napi::Value { return NetworkHandle::make(env, loaded); };
    });
  });
}

Napi::Value EngineHandle::read(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto loaded = NetworkHandle::get(info[0], "network");
    if (!loaded->network) fail(Code::OPTION_TYPE, "ONNX networks are read when they are loaded", "pass another handle");
    const bool allow_nonfinite = flag_or(object_of(info[1], "options"), "allowNonFinite", false);
    return post(info.Env(), info[1], info[2], [loaded, allow_nonfinite](Job& job) -> Finish {
      loaded->network->read({allow_nonfinite, false, &job.stop(), progress_of(job)});
      return [](Napi::Env env) -> Napi::Value { return env.Undefined(); };
    });
  });
}

Napi::Value EngineHandle::open_lora(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const std::string path = info[0].ToString();
    const Napi::Array list = array_of(info[1], "networks");
    std::vector<std::shared_ptr<Loaded>> networks;
    for (uint32_t i = 0; i < list.Length(); ++i) networks.push_back(changeable(list.Get(i), "networks"));
    return post(info.Env(), info[2], info.Env().Undefined(), [path, networks](Job&) -> Finish {
      auto lora = std::make_shared<Lora>(read_lora(path, networks));
      return [lora](Napi::Env env) -> Napi::Value { return LoraHandle::make(env, lora); };
    });
  });
}

Napi::Value EngineHandle::set_loras(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    const auto network = changeable(info[0], "network");
    const Napi::Array list = array_of(info[1], "loras");
    std::vector<MergedLora> active;
    for (uint32_t i = 0; i < list.Length(); ++i) {
      const Napi::Object o = object_of(list.Get(i), "loras");
      active.push_back({lora_of(o.Get("lora")), static_cast<float>(number_of(o, "strength"))});
    }
    return post(info.Env(), info[2], info.Env().Undefined(), [network, active](Job&) -> Finish {
      const size_t changed = ipa::set_loras(*network, active);
      return [changed](Napi::Env env) -> Napi::Value {
        Napi::Object out = Napi::Object::New(env);
        out.Set("changed", static_cast<double>(changed));
        return out;
      };
    });
  });
}

Napi::Value EngineHandle::same_deltas(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&]() -> Napi::Value {
    return post(info.Env(), info[2], info.Env().Undefined(),
                [a = lora_of(info[0]), b = lora_of(info[1])](Job&) -> Finish {
                  const bool same = ipa::same_deltas(*a, *b);
                  return [same](Napi::Env env) -> Napi::Value { return Napi::Boolean::New(env, same); };
                });
  });
}

}  // namespace ipa::binding
